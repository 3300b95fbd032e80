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
	Agents    []*promptrails.Resource // the newest hundred
	More      bool                    // there are further agents
	Pager     pager
	Report    *promptrails.MaskingReport // nil: may not be read
	Counts    []detectorCount

	Text    string // that was entered for the preview
	Agent   string // the id of the agent of the preview; empty: the workspace
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
	if v.MayRead(promptrails.ScopeAgentsRead) {
		agents, err := v.client.Resources.List(v.Context(), promptrails.KindAgents, &promptrails.ListResourcesParams{ListOptions: promptrails.ListOptions{Limit: 100}})
		if err != nil {
			return err
		}
		view.Agents, view.More = agents.Items, hasMore(agents)
	}
	if v.MayRead(promptrails.ScopeTracesRead) {
		if view.Report, err = v.client.Masking.Report(v.Context(), nil); err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(view.Report.Detectors)) {
			view.Counts = append(view.Counts, detectorCount{name, view.Report.Detectors[name]})
		}
	}
	if view.Text, view.Agent = v.PostFormValue("text"), v.PostFormValue("preview_agent"); v.Method == http.MethodPost && view.Text != "" {
		if view.Preview, err = v.client.Masking.Preview(v.Context(), view.Text, &promptrails.PreviewMaskingParams{AgentID: view.Agent}); err != nil {
			return err
		}
	}
	return v.render("masking", "Data Masking", view)
}

// AgentName returns the name of an agent, or its id.
func (m *maskingView) AgentName(id string) string {
	for _, agent := range m.Agents {
		if agent.ID == id && agent.Name != "" {
			return agent.Name
		}
	}
	return id
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

// setAgentMasking gives an agent its own settings, or switches them on or off.
func (c *console) setAgentMasking(v *visit) (*next, error) {
	agent := v.PostFormValue("agent")
	if agent == "" {
		return nil, invalid("agent", "must be an agent of the workspace")
	}
	if _, err := v.client.Masking.SetOverride(v.Context(), agent, &promptrails.SetMaskingOverrideParams{Enabled: new(v.PostFormValue("mask") == "on")}, v.once()); err != nil {
		return nil, err
	}
	return then(v.path("masking"), "The agent now has its own settings."), nil
}

func (c *console) deleteAgentMasking(v *visit) (*next, error) {
	if err := v.client.Masking.DeleteOverride(v.Context(), v.PathValue("agent"), v.once()); err != nil {
		return nil, err
	}
	return then(v.path("masking"), "The settings of the workspace apply to the agent again."), nil
}
