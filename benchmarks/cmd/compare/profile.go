package main

import (
	"errors"
	"os"
	"runtime/pprof"
)

// profile writes the profiles that the options select.
type profile struct{ cpu, memory *os.File } // nil: not selected

func startProfile(o *options) (*profile, error) {
	p := new(profile)
	var err error
	if o.memProfile != "" {
		if p.memory, err = os.Create(o.memProfile); err != nil {
			return nil, err
		}
	}
	if o.cpuProfile != "" {
		if p.cpu, err = os.Create(o.cpuProfile); err != nil {
			return nil, errors.Join(err, p.stop())
		}
		if err := pprof.StartCPUProfile(p.cpu); err != nil {
			return nil, errors.Join(err, p.stop())
		}
	}
	return p, nil
}

func (p *profile) stop() error {
	var errs []error
	if p.cpu != nil {
		pprof.StopCPUProfile()
		errs = append(errs, p.cpu.Close())
	}
	if p.memory != nil {
		errs = append(errs, pprof.Lookup("allocs").WriteTo(p.memory, 0), p.memory.Close())
	}
	return errors.Join(errs...)
}
