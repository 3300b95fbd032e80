package embedded_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// Objects created at the same time are listed in the order of creation, also
// after the clock has moved back.
func TestOrderWithStoppedClock(t *testing.T) {
	oneProcess(t, "ids grow within a process, and the clock is stopped")
	t.Parallel()
	var clock clock
	s := newServer(t, embedded.Config{Now: clock.now, DefaultPlan: promptrails.PlanPro})
	ada := s.owner("ada@example.com", "research")
	var want []string
	for i := range 30 {
		if i == 20 {
			clock.forward(-time.Hour) // the ids still increase
			want = nil
		}
		want = append([]string{ada.do("POST", "/prompts", fmt.Sprintf(`{"name":"p%d"}`, i)).expect(201).text("id")}, want...)
	}
	var page struct{ Data []struct{ ID string } }
	ada.do("GET", "/prompts?limit=100", "").decode(&page)
	var got []string
	for _, p := range page.Data[20:] {
		got = append(got, p.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("prompts: got %v, want %v", got, want)
	}
	if !slices.IsSortedFunc(want, func(a, b string) int { return strings.Compare(b, a) }) {
		t.Errorf("ids, the newest first: got %v, want them in descending order", want)
	}
}
