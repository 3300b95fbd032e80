package main

import (
	"maps"
	"net/http"
	"slices"

	promptrails "github.com/promptrails-community/promptrails-go"
)

type maskingView struct {
	*promptrails.MaskingSettings
	Names     []promptrails.Detector // of the settings, in order
	Overrides []*promptrails.MaskingOverride
	Agents    map[string]string // names of agents by id
	Pager     pager
	Report    *promptrails.MaskingReport // nil: may not be read
	Counts    []detectorCount

	Text    string // that was entered for the preview
	Preview *promptrails.MaskingPreview
}

type detectorCount struct {
	Detector promptrails.Detector
	Count    int
}

// masking shows the settings of data masking, and with a text in the form a preview.
func (c *console) masking(v *visit) (err error) {
	view := &maskingView{}
	if view.MaskingSettings, err = v.client.Masking.Get(v.Context()); err != nil {
		return err
	}
	view.Names = slices.Sorted(maps.Keys(view.Detectors))
	overrides, err := v.client.Masking.ListOverrides(v.Context(), &promptrails.ListMaskingOverridesParams{ListOptions: listOptions(v)})
	if err != nil {
		return err
	}
	view.Overrides, view.Pager = overrides.Items, pages(v, v.path("masking"), overrides)
	if len(view.Overrides) > 0 && v.MayRead(promptrails.ScopeAgentsRead) {
		if view.Agents, err = agentNames(v); err != nil {
			return err
		}
	}
	if v.MayRead(promptrails.ScopeTracesRead) {
		if view.Report, err = v.client.Masking.Report(v.Context(), nil); err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(view.Report.Detectors)) {
			view.Counts = append(view.Counts, detectorCount{name, view.Report.Detectors[name]})
		}
	}
	if view.Text = v.PostFormValue("text"); v.Method == http.MethodPost && view.Text != "" {
		if view.Preview, err = v.client.Masking.Preview(v.Context(), view.Text, nil); err != nil {
			return err
		}
	}
	return v.render("masking", "Data Masking", view)
}

// agentNames returns the names of the newest hundred agents.
func agentNames(v *visit) (map[string]string, error) {
	list, err := v.client.Resources.List(v.Context(), promptrails.KindAgents, &promptrails.ListResourcesParams{ListOptions: promptrails.ListOptions{Limit: 100}})
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, agent := range list.Items {
		names[agent.ID] = agent.Name
	}
	return names, nil
}

func (c *console) updateMasking(v *visit) (*next, error) {
	settings, err := v.client.Masking.Get(v.Context())
	if err != nil {
		return nil, err
	}
	params := &promptrails.UpdateMaskingParams{Enabled: new(v.PostFormValue("enabled") != ""), Detectors: map[promptrails.Detector]bool{}}
	for name := range settings.Detectors {
		params.Detectors[name] = slices.Contains(v.PostForm["detectors"], string(name))
	}
	if _, err := v.client.Masking.Update(v.Context(), params, v.once(), v.version()); err != nil {
		return nil, err
	}
	return then(v.path("masking"), "The settings were saved."), nil
}
