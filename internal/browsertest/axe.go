package browsertest

import (
	"os"
	"testing"
)

// Axe is the script axe-core, which finds faults of accessibility.
type Axe struct{ script string }

// NewAxe reads axe.min.js of the npm package axe-core from the file that the variable
// PROMPTRAILS_TEST_AXE names. It returns nil if the variable is not set.
func NewAxe(t testing.TB) *Axe {
	t.Helper()
	file := os.Getenv("PROMPTRAILS_TEST_AXE")
	if file == "" {
		return nil
	}
	script, err := os.ReadFile(file) //nolint:gosec // the person who runs the test names the file
	if err != nil {
		t.Fatalf("PROMPTRAILS_TEST_AXE: %v", err)
	}
	return &Axe{string(script)}
}

// Check fails the test for each rule that the page violates. state describes the page.
func (a *Axe) Check(p *Page, state string) {
	p.t.Helper()
	for _, violation := range a.violations(p) {
		p.t.Errorf("%s: got the violation of axe-core\n%s\nwant none", state, violation)
	}
}

// violations returns a description of each rule that the page violates.
func (a *Axe) violations(p *Page) []string {
	p.t.Helper()
	if !Eval[bool](p, `typeof axe === "object"`) {
		Eval[bool](p, a.script+"\n;true")
	}
	return Eval[[]string](p, `axe.run({resultTypes: ["violations"]}).then(({violations}) => violations.map((v) => v.id + ": " + v.help + ": " +
		v.nodes.map((node) => node.html + " " + node.failureSummary).join("; ")))`)
}
