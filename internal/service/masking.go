package service

import (
	"errors"
	"maps"
	"slices"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/changelog"
	"github.com/promptrails-community/promptrails-go/internal/store"
	"github.com/promptrails-community/promptrails-go/masking"
)

// Masking returns the workspace's settings. Before the first change, masking is
// disabled and the version is 1.
func (x *Session) Masking() (*promptrails.MaskingSettings, error) {
	s, err := x.tx.Masking()
	if errors.Is(err, store.ErrNotFound) {
		s, err = &promptrails.MaskingSettings{WorkspaceID: x.workspaceID(), Version: 1}, nil
	}
	s.Detectors = merged(s.Detectors, nil)
	return s, err
}

// labels are the detectors without a pattern. They are for columns of data
// sources that are labelled manually.
var labels = []promptrails.Detector{promptrails.DetectorName, promptrails.DetectorAddress}

// merged returns the state of all detectors: that in given if it is set,
// otherwise that in was, and otherwise on. Labels are omitted unless they are in
// given or was.
func merged(was, given map[promptrails.Detector]bool) map[promptrails.Detector]bool {
	all := map[promptrails.Detector]bool{}
	for _, d := range labels {
		for _, settings := range []map[promptrails.Detector]bool{was, given} {
			if on, ok := settings[d]; ok {
				all[d] = on
			}
		}
	}
	for _, d := range masking.Detectors() {
		on, known := was[d]
		all[d] = on || !known
		if on, ok := given[d]; ok {
			all[d] = on
		}
	}
	return all
}

func detectorFaults(given map[promptrails.Detector]bool) error {
	bad := faults{}
	for d := range given {
		if !slices.Contains(masking.Detectors(), d) && !slices.Contains(labels, d) {
			bad.add("detectors."+string(d), "is not a detector")
		}
	}
	return bad.err()
}

// mayEnable returns an error if masking is turned on and the plan does not
// include it. Masking that is already on can stay on.
func (x *Session) mayEnable(was, is bool) error {
	if is && !was {
		return x.needFeature(promptrails.FeatureDataMasking)
	}
	return nil
}

// UpdateMasking changes the workspace's settings.
func (x *Session) UpdateMasking(p *promptrails.UpdateMaskingParams) (*promptrails.MaskingSettings, error) {
	if err := detectorFaults(p.Detectors); err != nil {
		return nil, err
	}
	s, err := x.Masking()
	if err != nil {
		return nil, err
	}
	was, before := s.Enabled, maskingFields(s.Enabled, s.Detectors)
	set(&s.Enabled, p.Enabled)
	s.Detectors = merged(s.Detectors, p.Detectors)
	if err := x.mayEnable(was, s.Enabled); err != nil {
		return nil, err
	}
	if err := x.match(s.Version); err != nil {
		return nil, err
	}
	after := maskingFields(s.Enabled, s.Detectors)
	if changes, err := changelog.Diff(before, after); err != nil || changes == nil {
		return s, err
	}
	s.Version++
	s.UpdatedAt = x.now
	if err := x.tx.SetMasking(s); err != nil {
		return nil, err
	}
	return s, x.record(x.tx, promptrails.ActionUpdated, changelog.Ref{Type: string(promptrails.ResourceDataMasking), ID: x.workspaceID()}, before, after)
}

// MaskingOverrides returns a page of the settings of agents.
func (x *Session) MaskingOverrides(p *promptrails.ListMaskingOverridesParams) (*Page[*promptrails.MaskingOverride], error) {
	l, err := newListing("masking-overrides", x.workspaceID(), p.ListOptions)
	if err != nil {
		return nil, err
	}
	rows, total, err := x.tx.MaskingOverrides(l.store)
	if err != nil {
		return nil, err
	}
	for _, o := range rows {
		o.Detectors = merged(o.Detectors, nil)
	}
	return finish(l, rows, total, func(o *promptrails.MaskingOverride) store.Position {
		return store.Position{At: o.CreatedAt.UnixMicro(), ID: o.AgentID}
	}), nil
}

// SetMaskingOverride creates or changes the settings of an agent.
func (x *Session) SetMaskingOverride(agentID string, p *promptrails.SetMaskingOverrideParams) (*promptrails.MaskingOverride, error) {
	if err := detectorFaults(p.Detectors); err != nil {
		return nil, err
	}
	agent, err := x.agent(agentID)
	if err != nil {
		return nil, err
	}
	action, was := promptrails.ActionUpdated, false
	var before map[string]any
	o, err := x.tx.MaskingOverride(agentID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if p.Enabled == nil {
			return nil, invalid("enabled", "is required, because the agent has no settings yet")
		}
		action, o = promptrails.ActionCreated, &promptrails.MaskingOverride{AgentID: agentID, CreatedAt: x.now}
	case err != nil:
		return nil, err
	default:
		o.Detectors = merged(o.Detectors, nil)
		was, before = o.Enabled, maskingFields(o.Enabled, o.Detectors)
	}
	set(&o.Enabled, p.Enabled)
	o.Detectors = merged(o.Detectors, p.Detectors)
	if err := x.mayEnable(was, o.Enabled); err != nil {
		return nil, err
	}
	if err := x.match(o.Version); err != nil {
		return nil, err
	}
	after := maskingFields(o.Enabled, o.Detectors)
	if changes, err := changelog.Diff(before, after); err != nil || changes == nil {
		return o, err
	}
	o.Version++
	o.UpdatedAt = x.now
	if action == promptrails.ActionCreated {
		err = x.tx.CreateMaskingOverride(o)
	} else {
		err = x.tx.UpdateMaskingOverride(o)
	}
	if err != nil {
		return nil, err
	}
	return o, x.record(x.tx, action, overrideRef(agent), before, after)
}

// DeleteMaskingOverride deletes the settings of an agent. The workspace's settings
// apply to it again.
func (x *Session) DeleteMaskingOverride(agentID string) error {
	agent, err := x.agent(agentID)
	if err != nil {
		return err
	}
	o, err := x.tx.MaskingOverride(agentID)
	if err != nil {
		return orNotFound(err, "masking override")
	}
	if err := x.match(o.Version); err != nil {
		return err
	}
	return x.dropOverride(agent, o)
}

func (x *Session) dropOverride(agent *store.Resource, o *promptrails.MaskingOverride) error {
	if err := x.tx.DeleteMaskingOverride(agent.ID); err != nil {
		return err
	}
	return x.record(x.tx, promptrails.ActionDeleted, overrideRef(agent), maskingFields(o.Enabled, merged(o.Detectors, nil)), nil)
}

// endOverride deletes the settings, if any, of an agent that is being deleted.
func (x *Session) endOverride(agent *store.Resource) error {
	o, err := x.tx.MaskingOverride(agent.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return x.dropOverride(agent, o)
}

func overrideRef(agent *store.Resource) changelog.Ref {
	return changelog.Ref{Type: string(promptrails.ResourceMaskingOverride), ID: agent.ID, Name: agent.Name}
}

func maskingFields(enabled bool, detectors map[promptrails.Detector]bool) map[string]any {
	return map[string]any{"enabled": enabled, "detectors": maps.Clone(detectors)}
}

// maskingOf returns the settings that apply to an agent, or those of the workspace
// if agentID is empty.
func (x *Session) maskingOf(agentID string) (*promptrails.MaskingSettings, error) {
	s, err := x.Masking()
	if err != nil || agentID == "" {
		return s, err
	}
	o, err := x.tx.MaskingOverride(agentID)
	if errors.Is(err, store.ErrNotFound) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	return &promptrails.MaskingSettings{Enabled: o.Enabled, Detectors: merged(o.Detectors, nil)}, nil
}

// PreviewMasking masks a text with the current settings, as an execution does.
func (x *Session) PreviewMasking(p *PreviewMaskingBody) (*promptrails.MaskingPreview, error) {
	if p.AgentID != "" {
		if _, err := x.agent(p.AgentID); err != nil {
			return nil, err
		}
	}
	settings, err := x.maskingOf(p.AgentID)
	if err != nil {
		return nil, err
	}
	preview := &promptrails.MaskingPreview{Matches: []promptrails.MaskingMatch{}}
	var found *masking.Replacements
	preview.Masked, found = masking.New(settings).Mask(p.Text)
	for _, m := range found.Matches() {
		preview.Matches = append(preview.Matches, promptrails.MaskingMatch{Detector: m.Detector, Start: m.Start, End: m.End, Placeholder: m.Placeholder})
	}
	return preview, nil
}
