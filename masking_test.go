package promptrails_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
)

func TestMasking(t *testing.T) {
	fixture(t, func(t *testing.T, p *platform) {
		ctx := t.Context()
		in, w := newWorkspace(t, p.person("ada@example.com", "Ada"), "research") // starter
		off, err := in.Masking.Get(ctx)
		if err != nil || off.Enabled || off.WorkspaceID != w.ID || off.Version != 1 || !off.UpdatedAt.IsZero() || len(off.Detectors) != 12 || !off.Detectors[promptrails.DetectorTCKimlik] {
			t.Fatalf("Masking.Get: got %+v and error %v, want version 1, disabled, with 12 detectors that are on", off, err)
		}
		_, err = in.Masking.Update(ctx, &promptrails.UpdateMaskingParams{Enabled: new(true)})
		if lacks, ok := errors.AsType[*promptrails.FeatureError](err); !ok || lacks.Feature != promptrails.FeatureDataMasking {
			t.Errorf("Masking.Update on the starter plan: got %v, want a FeatureError for data masking", err)
		}
		must[*promptrails.Subscription](t)(in.Billing.ChangePlan(ctx, promptrails.PlanPro))
		on, err := in.Masking.Update(ctx, &promptrails.UpdateMaskingParams{
			Enabled: new(true), Detectors: map[promptrails.Detector]bool{promptrails.DetectorPhone: false},
		}, promptrails.WithIfMatch(off.Version))
		if err != nil || !on.Enabled || on.Detectors[promptrails.DetectorPhone] || !on.Detectors[promptrails.DetectorEmail] || on.Version != 2 || on.UpdatedAt.IsZero() {
			t.Errorf("Masking.Update: got %+v and error %v, want version 2, enabled, with email on and phone off", on, err)
		}
		_, err = in.Masking.Update(ctx, &promptrails.UpdateMaskingParams{Detectors: map[promptrails.Detector]bool{"shoe_size": true}})
		if bad, ok := errors.AsType[*promptrails.ValidationError](err); !ok || bad.Fields["detectors.shoe_size"] == "" {
			t.Errorf("Masking.Update with an unknown detector: got %v, want a ValidationError for detectors.shoe_size", err)
		}

		const text = "Write to ada@example.com, or call +1 212 555 0123."
		preview, err := in.Masking.Preview(ctx, text, nil)
		if err != nil || len(preview.Matches) != 1 {
			t.Fatalf("Masking.Preview: got %+v and error %v, want one match", preview, err)
		}
		found := preview.Matches[0]
		if found.Detector != promptrails.DetectorEmail || text[found.Start:found.End] != "ada@example.com" || preview.Masked != strings.Replace(text, "ada@example.com", found.Placeholder, 1) {
			t.Errorf("Masking.Preview: got %+v, want only the email address masked", preview)
		}

		agent := must[*promptrails.Resource](t)(in.Resources.Create(ctx, promptrails.KindAgents, map[string]any{"name": "Scout"}))
		override, err := in.Masking.SetOverride(ctx, agent.ID, &promptrails.SetMaskingOverrideParams{Enabled: new(true), Detectors: map[promptrails.Detector]bool{promptrails.DetectorEmail: false}})
		if err != nil || override.AgentID != agent.ID || !override.Enabled || override.Detectors[promptrails.DetectorEmail] || !override.Detectors[promptrails.DetectorPhone] || override.Version != 1 {
			t.Errorf("Masking.SetOverride: got %+v and error %v, want version 1, enabled, with phone on and email off", override, err)
		}
		preview, err = in.Masking.Preview(ctx, text, &promptrails.PreviewMaskingParams{AgentID: agent.ID})
		if err != nil || len(preview.Matches) != 1 || preview.Matches[0].Detector != promptrails.DetectorPhone {
			t.Errorf("Masking.Preview for an agent: got %+v and error %v, want only the phone number matched", preview, err)
		}
		if page, err := in.Masking.ListOverrides(ctx, nil); err != nil || page.Meta.Total != 1 || page.Items[0].AgentID != agent.ID {
			t.Errorf("Masking.ListOverrides: got %+v and error %v, want the override of agent %s", page, err, agent.ID)
		}
		for o, err := range in.Masking.AllOverrides(ctx, nil) {
			if err != nil || o.AgentID != agent.ID {
				t.Errorf("Masking.AllOverrides: got %+v and error %v, want the override of agent %s", o, err, agent.ID)
			}
		}
		execution := must[*promptrails.Resource](t)(in.Resources.Execute(ctx, agent.ID, &promptrails.ExecuteParams{Input: text}))
		var stored struct {
			Input string `json:"input"`
		}
		if err := execution.Decode(&stored); err != nil || stored.Input != text {
			t.Errorf("input of the execution: got %q and error %v, want %q", stored.Input, err, text)
		}
		for span, err := range in.Resources.All(ctx, promptrails.KindTraces, &promptrails.ListResourcesParams{AgentID: agent.ID}) {
			if err != nil || span.Decode(&stored) != nil || !strings.Contains(stored.Input, "ada@example.com") || strings.Contains(stored.Input, "212") {
				t.Errorf("input of the trace: got %q and error %v, want only the phone number masked", stored.Input, err)
			}
		}
		report, err := in.Masking.Report(ctx, &promptrails.MaskingReportParams{AgentID: agent.ID})
		if want := (&promptrails.MaskingReport{Traces: 1, Total: 1, Detectors: map[promptrails.Detector]int{promptrails.DetectorPhone: 1}}); err != nil || !cmp.Equal(want, report) {
			t.Errorf("Masking.Report: got error %v, and a difference (-want +got):\n%s", err, cmp.Diff(want, report))
		}
		if err := in.Masking.DeleteOverride(ctx, agent.ID); err != nil {
			t.Errorf("Masking.DeleteOverride: got %v, want no error", err)
		}
		if err := in.Masking.DeleteOverride(ctx, agent.ID); !errors.Is(err, promptrails.ErrNotFound) {
			t.Errorf("Masking.DeleteOverride again: got %v, want ErrNotFound", err)
		}
	})
}
