package main

import (
	"flag"
	"regexp"
	"slices"
	"testing"
)

// The files for deployment name only variables that exist.
func TestDeployment(t *testing.T) {
	t.Parallel()
	known := []string{"PROMPTRAILS_API_URL", "PROMPTRAILS_ACCESS_TOKEN", "PROMPTRAILS_GUEST_ACCESS_TOKEN"} // of quickstart
	for _, g := range new(settings).groups() {
		flags := flag.NewFlagSet("", flag.ContinueOnError)
		g.flags(flags)
		flags.VisitAll(func(f *flag.Flag) { known = append(known, variable(f.Name)) })
	}
	for _, file := range []string{"Dockerfile", "promptrails-server.service", "README.md"} {
		names := regexp.MustCompile(`PROMPTRAILS_[A-Z_]+`).FindAllString(string(read(t, file)), -1)
		if len(names) == 0 {
			t.Errorf("%s: got no variables, want some", file)
		}
		for _, name := range names {
			if !slices.Contains(known, name) {
				t.Errorf("%s: got the variable %s, want one of %v", file, name, known)
			}
		}
	}
}
