package embedded_test

import (
	"regexp"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// The model provider receives placeholders. The caller and the execution have
// the original values; the trace has the placeholders.
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
					t.Errorf("execution: got %s, want the original values in its input and its output", body)
				}
			}
			return ada.do("GET", "/traces/"+made.text("trace_id"), "").expect(200).body
		}
		hasEmail := func(text string) bool { return strings.Contains(text, "grace@") }
		hasCard := func(text string) bool { return strings.Contains(text, "4111") }

		if text := execute(agent); !hasEmail(text) && !hasCard(text) {
			t.Errorf("trace with masking off: got %s, want the original values", text)
		}
		ada.do("PATCH", "/data-masking", `{"enabled":true}`, "If-Match", `"9"`).refused(412, "precondition_failed")
		settings := ada.do("PATCH", "/data-masking", `{"enabled":true}`, "If-Match", `"1"`).expect(200)
		if settings.integer("version") != 2 || strings.Count(settings.body, ":true") != 13 {
			t.Errorf("settings: got %s, want version 2 with masking and all 12 detectors on", settings.body)
		}
		masked := execute(agent)
		mails := regexp.MustCompile(`\[PII_EMAIL_[0-9a-f]{8}\]`).FindAllString(masked, -1)
		if hasEmail(masked) || hasCard(masked) || len(mails) != 6 || mails[0] != mails[1] || mails[0] != mails[5] || !regexp.MustCompile(`"card":"\[PII_CREDIT_CARD_[0-9a-f]{8}\]"`).MatchString(masked) || !strings.Contains(masked, "plain  text") {
			t.Errorf("trace with masking on: got %s, want the same placeholder for the same value in the input and the output", masked)
		}
		if !strings.Contains(masked, `"masked":{"credit_card":1,"email":3}`) && !strings.Contains(masked, `"masked":{"email":3,"credit_card":1}`) {
			t.Errorf("trace: got %s, want the counts 1 for cards and 3 for email addresses", masked)
		}

		// Detectors are merged key by key. An agent's override takes precedence
		// over the workspace's settings.
		ada.do("PATCH", "/data-masking", `{"detectors":{"credit_card":false}}`).expect(200)
		ada.do("PATCH", "/data-masking", `{"detectors":{"phone":false}}`).expect(200)
		if text := execute(agent); !hasCard(text) || hasEmail(text) {
			t.Errorf("trace with the card detector off: got %s, want the card number and no email address", text)
		}
		override := ada.do("PUT", "/data-masking/overrides/"+other, `{"enabled":true,"detectors":{"email":false}}`).expect(200)
		if override.text("agent_id") != other || override.integer("version") != 1 || override.header.Get("ETag") != `"1"` {
			t.Errorf("override: got %s with ETag %s, want version 1 for agent %s", override.body, override.header.Get("ETag"), other)
		}
		if text := execute(other); !hasEmail(text) || hasCard(text) {
			t.Errorf("trace with the override's email detector off: got %s, want the email address and no card number", text)
		}
		ada.do("PUT", "/data-masking/overrides/"+other, `{"enabled":false}`, "If-Match", `"9"`).refused(412, "precondition_failed")
		kept := ada.do("PUT", "/data-masking/overrides/"+other, `{"enabled":false}`).expect(200)
		if !strings.Contains(kept.body, `"email":false`) {
			t.Errorf("override after PUT without detectors: got %s, want the email detector still off", kept.body)
		}
		ada.do("PATCH", "/data-masking", `{"detectors":{"email":true,"credit_card":true}}`).expect(200)
		if text := execute(other); !hasEmail(text) && !hasCard(text) {
			t.Errorf("trace with masking off in the override: got %s, want the original values", text)
		}
		if ids, total := ada.do("GET", "/data-masking/overrides", "").listed(); len(ids) != 1 || total != 1 {
			t.Errorf("overrides: got %v and total %d, want one", ids, total)
		}
		ada.do("DELETE", "/data-masking/overrides/"+other, "").expect(204)
		ada.do("DELETE", "/data-masking/overrides/"+other, "").refused(404, "not_found")
		if text := execute(other); hasEmail(text) || hasCard(text) {
			t.Errorf("trace after the override is deleted: got %s, want it masked by the workspace's settings", text)
		}
	})
}

// A preview applies the current settings without an execution.
func TestMaskingPreview(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanEnterprise}).owner("ada@example.com", "research")
	agent := ada.do("POST", "/agents", `{"name":"Scout"}`).expect(201).text("id")
	preview := func(agent string) (p promptrails.MaskingPreview) {
		var response struct{ Data promptrails.MaskingPreview }
		ada.do("POST", "/data-masking/preview", `{"text":"é ada@example.com 192.0.2.1","agent_id":"`+agent+`"}`).expect(200).decode(&response)
		return response.Data
	}
	if p := preview(""); p.Masked != "é ada@example.com 192.0.2.1" || p.Matches == nil || len(p.Matches) != 0 {
		t.Errorf("preview with masking off: got %+v, want the text unchanged and an empty list of matches", p)
	}
	ada.do("PATCH", "/data-masking", `{"enabled":true,"detectors":{"ipv4":false}}`).expect(200)
	p := preview("")
	if len(p.Matches) != 1 || p.Matches[0].Detector != promptrails.DetectorEmail || p.Matches[0].Start != 3 || p.Matches[0].End != 18 || p.Masked != "é "+p.Matches[0].Placeholder+" 192.0.2.1" {
		t.Errorf("preview with masking on: got %+v, want one email match at bytes 3 to 18", p)
	}
	// A detector that an agent's override omits is on.
	ada.do("PUT", "/data-masking/overrides/"+agent, `{"enabled":true}`).expect(200)
	if p := preview(agent); len(p.Matches) != 2 {
		t.Errorf("preview with the agent's override on: got %+v, want two matches", p)
	}
	ada.do("PUT", "/data-masking/overrides/"+agent, `{"enabled":false}`).expect(200)
	if p := preview(agent); len(p.Matches) != 0 {
		t.Errorf("preview with the agent's override off: got %+v, want no matches", p)
	}
	ada.do("POST", "/data-masking/preview", `{"text":"x","agent_id":"2N8Dx8a2a1qUspBKbP02vqP29eH"}`).refused(404, "not_found")
}

// Masking requires a plan with the feature. The form of a request is checked
// before the plan.
func TestMaskingRequiresPlan(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanStarter}).owner("ada@example.com", "research")
	agent := ada.do("POST", "/agents", `{"name":"Scout"}`).expect(201).text("id")
	for _, call := range [][2]string{{"PATCH", "/data-masking"}, {"PUT", "/data-masking/overrides/" + agent}} {
		r := ada.do(call[0], call[1], `{"enabled":true}`).refused(403, "feature_not_in_plan")
		if !strings.Contains(r.body, `"feature":"data_masking"`) || !strings.Contains(r.body, `"available_in":["pro","enterprise"]`) {
			t.Errorf("%s %s: got %s, want the feature data_masking, available in pro and enterprise", call[0], call[1], r.body)
		}
		if fields := ada.do(call[0], call[1], `{"enabled":true,"detectors":{"shoe_size":true}}`).fails(400, "validation_error"); fields["detectors.shoe_size"] == "" {
			t.Errorf("%s %s: got the invalid fields %v, want detectors.shoe_size", call[0], call[1], fields)
		}
	}
	if fields := ada.do("PUT", "/data-masking/overrides/"+agent, `{"detectors":{"email":true}}`).fails(400, "validation_error"); fields["enabled"] == "" {
		t.Errorf("PUT without enabled: got the invalid fields %v, want enabled", fields)
	}
	ada.do("PUT", "/data-masking/overrides/2N8Dx8a2a1qUspBKbP02vqP29eH", `{"enabled":false}`).refused(404, "not_found")
	if r := ada.do("GET", "/data-masking", "").expect(200); !strings.Contains(r.body, `"enabled":false`) || strings.Count(r.body, ":true") != 12 || !strings.Contains(r.body, `"updated_at":null`) {
		t.Errorf("default settings: got %s, want masking off, 12 detectors on and no updated_at", r.body)
	}
}

// After a downgrade, masking that is on stays on. It can be turned off, but not
// on again.
func TestMaskingAfterDowngrade(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanStarter}).owner("ada@example.com", "research")
	agent := ada.do("POST", "/agents", `{"name":"Scout"}`).expect(201).text("id")
	ada.do("PATCH", "/billing/subscription", `{"plan":"pro"}`).expect(200)
	ada.do("PATCH", "/data-masking", `{"enabled":true}`).expect(200)
	ada.do("PATCH", "/billing/subscription", `{"plan":"starter"}`).expect(200)
	trace := ada.do("POST", "/agents/"+agent+"/execute", `{"input":"grace@example.com"}`).expect(201).text("trace_id")
	if r := ada.do("GET", "/traces/"+trace, "").expect(200); strings.Contains(r.body, "grace@") {
		t.Errorf("trace after the downgrade: got %s, want the email address masked", r.body)
	}
	ada.do("PATCH", "/data-masking", `{"enabled":true,"detectors":{"iban":false}}`).expect(200)
	ada.do("PATCH", "/data-masking", `{"enabled":false}`).expect(200)
	ada.do("PATCH", "/data-masking", `{"enabled":true}`).refused(403, "feature_not_in_plan")

	// Deleting an agent deletes its override. Both have changelog entries.
	ada.do("PUT", "/data-masking/overrides/"+agent, `{"enabled":false}`).expect(200)
	before := ada.sequence()
	ada.do("DELETE", "/agents/"+agent, "").expect(204)
	log := ada.do("GET", "/changelog?resource_type=masking_override&action=deleted", "").body
	if _, total := ada.do("GET", "/data-masking/overrides", "").listed(); total != 0 || ada.sequence() != before+2 || !strings.Contains(log, `"name":"Scout"`) {
		t.Errorf("after the agent is deleted: got %d overrides and %d changelog entries, want none and 2: %s", total, ada.sequence()-before, log)
	}
}
