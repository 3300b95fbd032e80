package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain runs the service if a test started it.
func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) != "" {
		if err := run(); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// The tests that run a soak are not parallel, because it counts the goroutines of its
// process.

// A run with all faults has no lost and no doubled changes.
func TestSoak(t *testing.T) {
	var text strings.Builder
	o := &options{duration: time.Minute, database: "file", faults: faultNames, maxKills: 3, seed: 1}
	if err := soak(t.Context(), o, &text); err != nil {
		t.Errorf("soak: got %v, want no error\n%s", err, text.String())
	}
	for _, want := range []string{"| kills | 3 |", "| lost acknowledged changes | 0 |", "| doubled changes | 0 |"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("report: got\n%s\nwant the row %s", text.String(), want)
		}
	}
}

// Each disturbance comes before one comes again.
func TestDeck(t *testing.T) {
	t.Parallel()
	d, random, drawn := &deck{n: 3}, newRandom(1, 0), map[int]int{}
	for range 6 {
		drawn[d.draw(random)]++
	}
	if want := map[int]int{0: 2, 1: 2, 2: 2}; !maps.Equal(drawn, want) {
		t.Errorf("numbers of 6 draws: got %v, want %v", drawn, want)
	}
}

// If the service loses changes, the run fails. Here it is started with the database of
// the kill before.
func TestLostChangesAreFound(t *testing.T) {
	var text strings.Builder
	o := &options{duration: time.Minute, database: "file", faults: []string{killFault}, maxKills: 2, seed: 1, lose: true}
	if err := soak(t.Context(), o, &text); err == nil {
		t.Error("soak with an older database: got no error, want one")
	}
	if want := regexp.MustCompile(`\| lost acknowledged changes \| [1-9]`); !want.MatchString(text.String()) {
		t.Errorf("report: got\n%s\nwant a row %s", text.String(), want)
	}
}

// Without a small disk, the limit of the size of files is a fault that the service
// survives.
func TestLimitedFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the limit of the size of files requires Unix")
	}
	s := newSoaker(&options{duration: 2 * time.Second, database: "file", faults: []string{diskFault}, seed: 1})
	s.service.dsn = filepath.Join(t.TempDir(), "soak.db")
	s.disk = limited{s.service}
	var text strings.Builder
	if err := s.soak(t.Context(), &text); err != nil {
		t.Errorf("soak: got %v, want no error\n%s", err, text.String())
	}
	if want := "| 503 unavailable |"; !strings.Contains(text.String(), want) {
		t.Errorf("report: got\n%s\nwant the row %s", text.String(), want)
	}
}
