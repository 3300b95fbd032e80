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
			t.Fatalf("Get = %+v, %v", off, err)
		}
		_, err = in.Masking.Update(ctx, &promptrails.UpdateMaskingParams{Enabled: new(true)})
		if lacks, ok := errors.AsType[*promptrails.FeatureError](err); !ok || lacks.Feature != promptrails.FeatureDataMasking {
			t.Errorf("Update on the plan starter: %v", err)
		}
		must[*promptrails.Subscription](t)(in.Billing.ChangePlan(ctx, promptrails.PlanPro))
		on, err := in.Masking.Update(ctx, &promptrails.UpdateMaskingParams{
			Enabled: new(true), Detectors: map[promptrails.Detector]bool{promptrails.DetectorPhone: false},
		}, promptrails.WithIfMatch(off.Version))
		if err != nil || !on.Enabled || on.Detectors[promptrails.DetectorPhone] || !on.Detectors[promptrails.DetectorEmail] || on.Version != 2 || on.UpdatedAt.IsZero() {
			t.Errorf("Update = %+v, %v", on, err)
		}
		_, err = in.Masking.Update(ctx, &promptrails.UpdateMaskingParams{Detectors: map[promptrails.Detector]bool{"shoe_size": true}})
		if bad, ok := errors.AsType[*promptrails.ValidationError](err); !ok || bad.Fields["detectors.shoe_size"] == "" {
			t.Errorf("a detector that is none: %v", err)
		}

		const text = "Write to ada@example.com, or call +1 212 555 0123."
		preview, err := in.Masking.Preview(ctx, text, nil)
		if err != nil || len(preview.Matches) != 1 {
			t.Fatalf("Preview = %+v, %v", preview, err)
		}
		found := preview.Matches[0]
		if found.Detector != promptrails.DetectorEmail || text[found.Start:found.End] != "ada@example.com" || preview.Masked != strings.Replace(text, "ada@example.com", found.Placeholder, 1) {
			t.Errorf("Preview = %+v", preview)
		}

		agent := must[*promptrails.Resource](t)(in.Resources.Create(ctx, promptrails.KindAgents, map[string]any{"name": "Scout"}))
		override, err := in.Masking.SetOverride(ctx, agent.ID, &promptrails.SetMaskingOverrideParams{Enabled: new(true), Detectors: map[promptrails.Detector]bool{promptrails.DetectorEmail: false}})
		if err != nil || override.AgentID != agent.ID || !override.Enabled || override.Detectors[promptrails.DetectorEmail] || !override.Detectors[promptrails.DetectorPhone] || override.Version != 1 {
			t.Errorf("SetOverride = %+v, %v", override, err)
		}
		preview, err = in.Masking.Preview(ctx, text, &promptrails.PreviewMaskingParams{AgentID: agent.ID})
		if err != nil || len(preview.Matches) != 1 || preview.Matches[0].Detector != promptrails.DetectorPhone {
			t.Errorf("Preview for an agent = %+v, %v", preview, err)
		}
		if page, err := in.Masking.ListOverrides(ctx, nil); err != nil || page.Meta.Total != 1 || page.Items[0].AgentID != agent.ID {
			t.Errorf("ListOverrides = %+v, %v", page, err)
		}
		for o, err := range in.Masking.AllOverrides(ctx, nil) {
			if err != nil || o.AgentID != agent.ID {
				t.Errorf("AllOverrides: %+v, %v", o, err)
			}
		}
		execution := must[*promptrails.Resource](t)(in.Resources.Execute(ctx, agent.ID, &promptrails.ExecuteParams{Input: text}))
		var kept struct {
			Input string `json:"input"`
		}
		if err := execution.Decode(&kept); err != nil || kept.Input != text {
			t.Errorf("the execution has the input %q (%v), want the original %q", kept.Input, err, text)
		}
		for span, err := range in.Resources.All(ctx, promptrails.KindTraces, &promptrails.ListResourcesParams{AgentID: agent.ID}) {
			if err != nil || span.Decode(&kept) != nil || !strings.Contains(kept.Input, "ada@example.com") || strings.Contains(kept.Input, "212") {
				t.Errorf("the trace has the input %q (%v), want the phone number masked and the address as it is", kept.Input, err)
			}
		}
		report, err := in.Masking.Report(ctx, &promptrails.MaskingReportParams{AgentID: agent.ID})
		if want := (&promptrails.MaskingReport{Traces: 1, Total: 1, Detectors: map[promptrails.Detector]int{promptrails.DetectorPhone: 1}}); err != nil || !cmp.Equal(want, report) {
			t.Errorf("Report (-want +got), %v:\n%s", err, cmp.Diff(want, report))
		}
		if err := in.Masking.DeleteOverride(ctx, agent.ID); err != nil {
			t.Errorf("DeleteOverride: %v", err)
		}
		if err := in.Masking.DeleteOverride(ctx, agent.ID); !errors.Is(err, promptrails.ErrNotFound) {
			t.Errorf("DeleteOverride again: %v", err)
		}
	})
}
