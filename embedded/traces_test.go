package embedded_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// The report sums the masked values of traces, optionally of a period or an agent.
func TestMaskedReport(t *testing.T) {
	t.Parallel()
	var clock clock
	ada := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanPro, Now: clock.now}).owner("ada@example.com", "research")
	agent, other := ada.do("POST", "/agents", `{"name":"a"}`).expect(201).text("id"), ada.do("POST", "/agents", `{"name":"b"}`).expect(201).text("id")
	execute := func(agent, input string) {
		t.Helper()
		ada.do("POST", "/agents/"+agent+"/execute", fmt.Sprintf(`{"input":%q}`, input)).expect(201)
	}
	execute(agent, "grace@example.com") // masking is off
	ada.do("PATCH", "/data-masking", `{"enabled":true}`).expect(200)
	execute(agent, "grace@example.com and 192.0.2.1")
	clock.forward(time.Hour)
	since := clock.now().Format(time.RFC3339)
	execute(agent, "nothing")
	execute(other, "grace@example.com, joan@example.com")
	for query, want := range map[string]string{
		"":                            `{"data":{"traces":2,"total":4,"detectors":{"email":3,"ipv4":1}}}`,
		"?agent_id=" + other:          `{"data":{"traces":1,"total":2,"detectors":{"email":2}}}`,
		"?until=" + since:             `{"data":{"traces":1,"total":2,"detectors":{"email":1,"ipv4":1}}}`,
		"?since=" + since:             `{"data":{"traces":1,"total":2,"detectors":{"email":2}}}`,
		"?agent_id=nothing":           `{"data":{"traces":0,"total":0,"detectors":{}}}`,
		"?since=2030-01-01T00:00:00Z": `{"data":{"traces":0,"total":0,"detectors":{}}}`,
	} {
		t.Run("query "+query, func(t *testing.T) {
			if got := ada.do("GET", "/traces/pii-report"+query, "").expect(200).body; !sameJSON(t, got, want) {
				t.Errorf("report: got %s, want %s", got, want)
			}
		})
	}
	ada.do("GET", "/traces/pii-report?q=x", "").fails(400, "validation_error")
}

// The summary has the totals of all traces. Sessions and models are counted only
// once.
func TestTraceSummary(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	agent := ada.do("POST", "/agents", `{"name":"a"}`).expect(201).text("id")
	for _, session := range []string{"one", "two", "one", "", ""} {
		ada.do("POST", "/agents/"+agent+"/execute", `{"session_id":"`+session+`"}`).expect(201)
	}
	summary := ada.do("GET", "/traces/summary", "").expect(200)
	if summary.integer("total_traces") != 5 || summary.integer("unique_sessions") != 2 || summary.integer("unique_models") != 1 || summary.integer("total_tokens") == 0 {
		t.Errorf("summary: got %s, want 5 traces, 2 sessions, 1 model and some tokens", summary.body)
	}
}

// sameJSON reports whether two texts are the same JSON, ignoring the order of
// members.
func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal([]byte(a), &x), json.Unmarshal([]byte(b), &y)); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}
