package review

import (
	"encoding/csv"
	"io"
	"iter"
	"strings"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// WriteFindingsCSV writes findings as CSV (RFC 4180) with a header row. A cell
// that a spreadsheet would run as a formula has an apostrophe before it.
func WriteFindingsCSV(w io.Writer, findings iter.Seq[Finding]) error {
	c := csv.NewWriter(w)
	err := writeRow(c, "severity", "rule", "workspace_id", "workspace", "object_type", "object_id", "object_name", "message", "mend")
	for f := range orNone(findings) {
		if err != nil {
			break
		}
		err = writeRow(c, string(f.Severity), f.Rule, f.WorkspaceID, f.Workspace, string(f.Object.Type), f.Object.ID, f.Object.Name, f.Message, f.Mend)
	}
	return flush(c, err)
}

// WriteAccessCSV writes a row for each member, pending invitation and API key of
// workspaces, as yielded by [Each], in the form of [WriteFindingsCSV]. It returns
// the error of workspaces.
func WriteAccessCSV(w io.Writer, workspaces iter.Seq2[*Workspace, error]) error {
	c := csv.NewWriter(w)
	err := writeRow(c, "workspace_id", "workspace", "type", "id", "name", "role_or_scopes", "restrictions", "last_active", "expires", "created", "maker")
	if err != nil {
		return flush(c, err)
	}
	if workspaces == nil {
		workspaces = func(func(*Workspace, error) bool) {}
	}
	for workspace, err := range workspaces {
		if err == nil && workspace != nil {
			err = workspace.writeAccess(c)
		}
		if err != nil {
			return flush(c, err)
		}
	}
	return flush(c, nil)
}

func (w *Workspace) writeAccess(c *csv.Writer) error {
	row := func(kind promptrails.ResourceType, cells ...string) error {
		return writeRow(c, append([]string{w.Info.ID, w.Info.Slug, string(kind)}, cells...)...)
	}
	for _, m := range w.Members {
		if err := row(promptrails.ResourceMember, m.ID, m.Email, string(m.Role), "", since(m.LastActiveAt), "", date(m.JoinedAt), ""); err != nil {
			return err
		}
	}
	for _, i := range w.Invitations {
		if err := row(promptrails.ResourceInvitation, i.ID, i.Email, string(i.Role), "", "", date(i.ExpiresAt), date(i.CreatedAt), i.InvitedBy); err != nil {
			return err
		}
	}
	for _, k := range w.APIKeys {
		if err := row(promptrails.ResourceAPIKey, k.ID, k.Name, k.Scopes.String(), restrictions(k), since(k.LastUsedAt), since(k.ExpiresAt), date(k.CreatedAt), w.makerName(k)); err != nil {
			return err
		}
	}
	return nil
}

func writeRow(c *csv.Writer, cells ...string) error {
	for i, cell := range cells {
		if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
			cells[i] = "'" + cell
		}
	}
	return c.Write(cells)
}

func flush(c *csv.Writer, err error) error {
	c.Flush()
	if err != nil {
		return err
	}
	return c.Error()
}
