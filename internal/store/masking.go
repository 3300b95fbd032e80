package store

import (
	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

const countOverrides = "masking_overrides"

// Masking returns the workspace's settings. It returns [ErrNotFound] before they
// are first changed.
func (t *Tx) Masking() (*promptrails.MaskingSettings, error) {
	s := &promptrails.MaskingSettings{WorkspaceID: t.workspace}
	return s, t.row("SELECT m.enabled, m.detectors, m.version, m.updated_at FROM data_masking m WHERE m.workspace_id = $1", nil,
		switched[bool]{&s.Enabled}, document{&s.Detectors}, &s.Version, stamp{&s.UpdatedAt})
}

// SetMasking stores the workspace's settings.
func (t *Tx) SetMasking(s *promptrails.MaskingSettings) error {
	detectors, err := wire.Encode(s.Detectors)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO data_masking (workspace_id, enabled, detectors, version, updated_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (workspace_id) DO UPDATE SET enabled = excluded.enabled, detectors = excluded.detectors, version = excluded.version, updated_at = excluded.updated_at`,
		flag(s.Enabled), string(detectors), s.Version, micros(s.UpdatedAt))
	return err
}

const (
	overrideColumns        = "o.agent_id, o.enabled, o.detectors, o.version, o.created_at, o.updated_at"
	overrideRows    scoped = "FROM masking_overrides o WHERE o.workspace_id = $1"
)

func overrideFields(o *promptrails.MaskingOverride) []any {
	return []any{
		&o.AgentID,
		switched[bool]{&o.Enabled},
		document{&o.Detectors},
		&o.Version,
		stamp{&o.CreatedAt},
		stamp{&o.UpdatedAt},
	}
}

// MaskingOverrides returns a page of the agents' settings and the number of
// agents with settings. The number is 0 if p has a cursor.
func (t *Tx) MaskingOverrides(p Paging) (page []*promptrails.MaskingOverride, total int, err error) {
	f := filter{base: 1}
	from, total, err := t.pageOf(&list{rows: string(overrideRows), at: "o.created_at", id: "o.agent_id", total: t.total(countOverrides)}, &f, p)
	if err != nil {
		return nil, 0, err
	}
	query := "SELECT " + overrideColumns + " " + from
	err = t.rows(query, f.args, func(r scanner) error {
		o := new(promptrails.MaskingOverride)
		page = append(page, o)
		return r.Scan(overrideFields(o)...)
	})
	return page, total, err
}

// MaskingOverride returns an agent's settings.
func (t *Tx) MaskingOverride(agentID string) (*promptrails.MaskingOverride, error) {
	o := new(promptrails.MaskingOverride)
	return o, t.row("SELECT "+overrideColumns+" "+overrideRows+" AND o.agent_id = $2", []any{agentID}, overrideFields(o)...)
}

// CreateMaskingOverride adds an agent's settings.
func (t *Tx) CreateMaskingOverride(o *promptrails.MaskingOverride) error {
	detectors, err := wire.Encode(o.Detectors)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO masking_overrides (workspace_id, agent_id, enabled, detectors, version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		o.AgentID, flag(o.Enabled), string(detectors), o.Version, micros(o.CreatedAt), micros(o.UpdatedAt))
	if err != nil {
		return err
	}
	return t.count(countOverrides, 1)
}

// UpdateMaskingOverride stores an agent's settings.
func (t *Tx) UpdateMaskingOverride(o *promptrails.MaskingOverride) error {
	detectors, err := wire.Encode(o.Detectors)
	if err != nil {
		return err
	}
	return affected(t.exec("UPDATE masking_overrides SET enabled = $3, detectors = $4, version = $5, updated_at = $6 WHERE workspace_id = $1 AND agent_id = $2",
		o.AgentID, flag(o.Enabled), string(detectors), o.Version, micros(o.UpdatedAt)))
}

// DeleteMaskingOverride deletes an agent's settings.
func (t *Tx) DeleteMaskingOverride(agentID string) error {
	if err := affected(t.exec("DELETE FROM masking_overrides WHERE workspace_id = $1 AND agent_id = $2", agentID)); err != nil {
		return err
	}
	return t.count(countOverrides, -1)
}
