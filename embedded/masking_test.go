package embedded_test

import (
	"regexp"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// The model provider sees placeholders; the caller, and the execution, see the
// originals. The trace is what the provider saw.
func TestExecutionsAreMasked(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		cfg.DefaultPlan = promptrails.PlanPro
		ada := newServer(t, cfg).owner("ada@example.com", "research")
		agent := ada.do("POST", "/agents", `{"name":"Scout"}`).expect(201).text("id")
		other := ada.do("POST", "/agents", `{"name":"Other"}`).expect(201).text("id")
		const input = `{"to":["grace@example.com","grace@example.com"],"card":4111111111111111,"grace@example.com":"x","note":"plain  text"}`
		execute := func(agent string) (trace string) {
			made := ada.do("POST", "/agents/"+agent+"/execute", `{"input":`+input+`}`).expect(201)
			execution := ada.do("GET", "/executions/"+made.text("id"), "").expect(200)
			for _, body := range []string{made.body, execution.body} {
				if !strings.Contains(body, `"input":`+input) || !strings.Contains(body, `"received":`+input) || strings.Contains(body, "[PII_") {
					t.Errorf("got the execution %s, want the original as its input and in its output", body)
				}
			}
			return ada.do("GET", "/traces/"+made.text("trace_id"), "").expect(200).body
		}
		shows := func(text string) bool { return strings.Contains(text, "grace@") || strings.Contains(text, "4111") }

		if text := execute(agent); !shows(text) {
			t.Errorf("it is masked although masking is off: %s", text)
		}
		ada.do("PATCH", "/data-masking", `{"enabled":true}`, "If-Match", `"9"`).refused(412, "precondition_failed")
		settings := ada.do("PATCH", "/data-masking", `{"enabled":true}`, "If-Match", `"1"`).expect(200)
		if settings.integer("version") != 2 || strings.Count(settings.body, ":true") != 13 {
			t.Error(settings.body)
		}
		masked := execute(agent)
		mails := regexp.MustCompile(`\[PII_EMAIL_[0-9a-f]{8}\]`).FindAllString(masked, -1)
		if shows(masked) || len(mails) != 6 || mails[0] != mails[1] || mails[0] != mails[5] || !regexp.MustCompile(`"card":"\[PII_CREDIT_CARD_[0-9a-f]{8}\]"`).MatchString(masked) || !strings.Contains(masked, "plain  text") {
			t.Errorf("got %s, want it masked, with the same placeholder for the same value in the input and the output", masked)
		}
		if !strings.Contains(masked, `"masked":{"credit_card":1,"email":3}`) && !strings.Contains(masked, `"masked":{"email":3,"credit_card":1}`) {
			t.Errorf("got %s, want the counts of a card and three addresses", masked)
		}

		// Merged key by key; an agent's own settings beat the workspace's.
		ada.do("PATCH", "/data-masking", `{"detectors":{"credit_card":false}}`).expect(200)
		ada.do("PATCH", "/data-masking", `{"detectors":{"phone":false}}`).expect(200)
		if text := execute(agent); !strings.Contains(text, "4111") || strings.Contains(text, "grace@") {
			t.Error(text)
		}
		override := ada.do("PUT", "/data-masking/overrides/"+other, `{"enabled":true,"detectors":{"email":false}}`).expect(200)
		if override.text("agent_id") != other || override.integer("version") != 1 || override.header.Get("ETag") != `"1"` {
			t.Error(override.body)
		}
		if text := execute(other); !strings.Contains(text, "grace@") || strings.Contains(text, "4111") {
			t.Error(text)
		}
		ada.do("PUT", "/data-masking/overrides/"+other, `{"enabled":false}`, "If-Match", `"9"`).refused(412, "precondition_failed")
		kept := ada.do("PUT", "/data-masking/overrides/"+other, `{"enabled":false}`).expect(200)
		if !strings.Contains(kept.body, `"email":false`) {
			t.Errorf("a PUT forgot a detector: %s", kept.body)
		}
		ada.do("PATCH", "/data-masking", `{"detectors":{"email":true,"credit_card":true}}`).expect(200)
		if text := execute(other); !shows(text) {
			t.Errorf("an agent's own settings do not hold: %s", text)
		}
		if ids, total := ada.do("GET", "/data-masking/overrides", "").listed(); len(ids) != 1 || total != 1 {
			t.Error(ids, total)
		}
		ada.do("DELETE", "/data-masking/overrides/"+other, "").expect(204)
		ada.do("DELETE", "/data-masking/overrides/"+other, "").refused(404, "not_found")
		if text := execute(other); shows(text) {
			t.Errorf("the workspace's settings do not hold again: %s", text)
		}
	})
}

// A preview is what an execution would be now.
func TestMaskingPreview(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanEnterprise}).owner("ada@example.com", "research")
	agent := ada.do("POST", "/agents", `{"name":"Scout"}`).expect(201).text("id")
	preview := func(agent string) (p promptrails.MaskingPreview) {
		var answer struct{ Data promptrails.MaskingPreview }
		ada.do("POST", "/data-masking/preview", `{"text":"é ada@example.com 192.0.2.1","agent_id":"`+agent+`"}`).expect(200).decode(&answer)
		return answer.Data
	}
	if p := preview(""); p.Masked != "é ada@example.com 192.0.2.1" || p.Matches == nil || len(p.Matches) != 0 {
		t.Errorf("masking is off: %+v", p)
	}
	ada.do("PATCH", "/data-masking", `{"enabled":true,"detectors":{"ipv4":false}}`).expect(200)
	p := preview("")
	if len(p.Matches) != 1 || p.Matches[0].Detector != promptrails.DetectorEmail || p.Matches[0].Start != 3 || p.Matches[0].End != 18 || p.Masked != "é "+p.Matches[0].Placeholder+" 192.0.2.1" {
		t.Errorf("%+v", p)
	}
	// What an agent's own settings do not name is on.
	ada.do("PUT", "/data-masking/overrides/"+agent, `{"enabled":true}`).expect(200)
	if p := preview(agent); len(p.Matches) != 2 {
		t.Errorf("%+v", p)
	}
	ada.do("PUT", "/data-masking/overrides/"+agent, `{"enabled":false}`).expect(200)
	if p := preview(agent); len(p.Matches) != 0 {
		t.Errorf("%+v", p)
	}
	ada.do("POST", "/data-masking/preview", `{"text":"x","agent_id":"2N8Dx8a2a1qUspBKbP02vqP29eH"}`).refused(404, "not_found")
}

func TestMaskingRules(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanStarter}).owner("ada@example.com", "research")
	agent := ada.do("POST", "/agents", `{"name":"Scout"}`).expect(201).text("id")
	for _, call := range [][2]string{{"PATCH", "/data-masking"}, {"PUT", "/data-masking/overrides/" + agent}} {
		r := ada.do(call[0], call[1], `{"enabled":true}`).refused(403, "feature_not_in_plan")
		if !strings.Contains(r.body, `"feature":"data_masking"`) || !strings.Contains(r.body, `"available_in":["pro","enterprise"]`) {
			t.Error(r.body)
		}
		if fields := ada.do(call[0], call[1], `{"enabled":true,"detectors":{"shoe_size":true}}`).fails(400, "validation_error"); fields["detectors.shoe_size"] == "" {
			t.Error(fields)
		}
	}
	if fields := ada.do("PUT", "/data-masking/overrides/"+agent, `{"detectors":{"email":true}}`).fails(400, "validation_error"); fields["enabled"] == "" {
		t.Error(fields)
	}
	ada.do("PUT", "/data-masking/overrides/2N8Dx8a2a1qUspBKbP02vqP29eH", `{"enabled":false}`).refused(404, "not_found")
	if r := ada.do("GET", "/data-masking", "").expect(200); !strings.Contains(r.body, `"enabled":false`) || strings.Count(r.body, ":true") != 12 || !strings.Contains(r.body, `"updated_at":null`) {
		t.Error(r.body)
	}

	// After a downgrade what is on stays on, can be turned off, and not on again.
	ada.do("PATCH", "/billing/subscription", `{"plan":"pro"}`).expect(200)
	ada.do("PATCH", "/data-masking", `{"enabled":true}`).expect(200)
	ada.do("PATCH", "/billing/subscription", `{"plan":"starter"}`).expect(200)
	trace := ada.do("POST", "/agents/"+agent+"/execute", `{"input":"grace@example.com"}`).expect(201).text("trace_id")
	if r := ada.do("GET", "/traces/"+trace, "").expect(200); strings.Contains(r.body, "grace@") {
		t.Errorf("got %s, want the address masked: what is on stays on", r.body)
	}
	ada.do("PATCH", "/data-masking", `{"enabled":true,"detectors":{"iban":false}}`).expect(200)
	ada.do("PATCH", "/data-masking", `{"enabled":false}`).expect(200)
	ada.do("PATCH", "/data-masking", `{"enabled":true}`).refused(403, "feature_not_in_plan")

	// An agent's settings end with it, and the changelog says both.
	ada.do("PUT", "/data-masking/overrides/"+agent, `{"enabled":false}`).expect(200)
	before := ada.sequence()
	ada.do("DELETE", "/agents/"+agent, "").expect(204)
	log := ada.do("GET", "/changelog?resource_type=masking_override&action=deleted", "").body
	if _, total := ada.do("GET", "/data-masking/overrides", "").listed(); total != 0 || ada.sequence() != before+2 || !strings.Contains(log, `"name":"Scout"`) {
		t.Errorf("%d are left after %d entries: %s", total, ada.sequence()-before, log)
	}
}
