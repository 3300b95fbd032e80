package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
)

// usage is the memory and the goroutines of a process.
type usage struct {
	Resident   uint64 // bytes; 0 if the system does not report it as Linux does
	Heap       uint64 // bytes after a collection
	Goroutines int
}

// The bounds of the growth between the start and the end of a run.
const (
	maxResidentGrowth  = 192 << 20
	maxHeapGrowth      = 32 << 20
	maxGoroutineGrowth = 20
)

// readUsage collects garbage and reads the usage of this process.
func readUsage() usage {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u := usage{Heap: m.HeapAlloc, Goroutines: runtime.NumGoroutine()}
	text, _ := os.ReadFile("/proc/self/status") // only on Linux
	for line := range bytes.Lines(text) {
		if _, err := fmt.Sscanf(string(line), "VmRSS: %d kB", &u.Resident); err == nil {
			u.Resident <<= 10
			break
		}
	}
	return u
}

// growth returns the values that have grown beyond their bounds.
func (u usage) growth(end usage) (beyond []string) {
	for _, one := range []struct {
		name       string
		start, end uint64
		bound      uint64
	}{
		{"resident memory", u.Resident, end.Resident, maxResidentGrowth},
		{"heap", u.Heap, end.Heap, maxHeapGrowth},
		{"goroutines", uint64(u.Goroutines), uint64(end.Goroutines), maxGoroutineGrowth}, //nolint:gosec // not negative
	} {
		if one.end > one.start+one.bound {
			beyond = append(beyond, fmt.Sprintf("%s: %d at the start and %d at the end, which is more than %d more", one.name, one.start, one.end, one.bound))
		}
	}
	return beyond
}
