package main

import (
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// writer writes one entry.
type writer func(*promptrails.ChangelogEntry) error

// formats maps the names of the formats to functions that return a writer. The
// argument isNew reports whether the file is empty.
var formats = map[string]func(w io.Writer, isNew bool) writer{"ndjson": ndjson, "csv": table, "ocsf": ocsf}

// ndjson writes each entry as JSON on one line, exactly as the API returned it,
// so that the file can be verified later.
func ndjson(w io.Writer, _ bool) writer {
	return func(e *promptrails.ChangelogEntry) error {
		line, err := e.MarshalJSON()
		if err != nil {
			return err
		}
		_, err = w.Write(append(slices.Clip(line), '\n'))
		return err
	}
}

// table writes CSV (RFC 4180) with all fields quoted. A new file starts with a
// header row.
func table(w io.Writer, isNew bool) writer {
	row := func(fields ...string) error {
		for i, f := range fields {
			fields[i] = `"` + strings.ReplaceAll(escapeFormula(f), `"`, `""`) + `"`
		}
		_, err := io.WriteString(w, strings.Join(fields, ",")+"\r\n")
		return err
	}
	return func(e *promptrails.ChangelogEntry) error {
		if isNew {
			isNew = false
			if err := row("sequence", "occurred_at", "actor_type", "actor_id", "actor_name", "action", "resource_type", "resource_id", "resource_name", "changes", "ip", "user_agent", "request_id", "hash"); err != nil {
				return err
			}
		}
		changes, err := json.Marshal(e.Changes)
		if err != nil {
			return err
		}
		return row(strconv.FormatInt(e.Sequence, 10), e.OccurredAt.Format(time.RFC3339Nano), string(e.Actor.Type), e.Actor.ID, e.Actor.Name, string(e.Action),
			string(e.Resource.Type), e.Resource.ID, e.Resource.Name, string(changes), e.IP, e.UserAgent, e.RequestID, e.Hash)
	}
}

// formula matches the start of anything a spreadsheet could interpret as a
// formula: at the start of a field, and after a character that could be a field
// separator. The separator depends on the locale, and some spreadsheets guess it.
var formula = regexp.MustCompile(`(^|[,;|\t\r\n])([\s"']*)([=+\-@%\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}])`)

// escapeFormula inserts an apostrophe before each formula in field, so that a
// spreadsheet shows it as text.
func escapeFormula(field string) string {
	field = formula.ReplaceAllString(field, "$1'$2$3")
	if field != "" && strings.ContainsRune("\t\r\n", rune(field[0])) {
		return "'" + field
	}
	return field
}

// Entries are exported as events of the class Entity Management in the category
// Identity & Access Management of the Open Cybersecurity Schema Framework
// (https://schema.ocsf.io/1.3.0/classes/entity_management).
const (
	ocsfVersion  = "1.3.0"
	ocsfClass    = 3004
	ocsfCategory = 3
)

var ocsfActivities = map[promptrails.ChangelogAction]struct {
	id   int
	name string
}{promptrails.ActionCreated: {1, "Create"}, promptrails.ActionUpdated: {3, "Update"}, promptrails.ActionDeleted: {4, "Delete"}}

// ocsf writes each entry as an OCSF event in JSON, one per line. SIEM products
// can import this format.
func ocsf(w io.Writer, _ bool) writer {
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	return func(e *promptrails.ChangelogEntry) error {
		activity, ok := ocsfActivities[e.Action]
		if !ok {
			activity.id, activity.name = 99, string(e.Action)
		}
		return lines.Encode(map[string]any{
			"class_uid": ocsfClass, "class_name": "Entity Management", "category_uid": ocsfCategory, "category_name": "Identity & Access Management",
			"activity_id": activity.id, "activity_name": activity.name, "type_uid": ocsfClass*100 + activity.id,
			"severity_id": 1, "severity": "Informational", "time": e.OccurredAt.UnixMilli(),
			"metadata": map[string]any{
				"version": ocsfVersion, "uid": e.ID, "sequence": e.Sequence, "log_name": "changelog", "tenant_uid": e.WorkspaceID, "correlation_uid": e.RequestID,
				"product": map[string]any{"name": "PromptRails", "vendor_name": "PromptRails"},
			},
			"actor":        map[string]any{"user": map[string]any{"uid": e.Actor.ID, "name": e.Actor.Name, "type": string(e.Actor.Type)}},
			"entity":       map[string]any{"uid": e.Resource.ID, "name": e.Resource.Name, "type": string(e.Resource.Type)},
			"src_endpoint": map[string]any{"ip": e.IP},
			"http_request": map[string]any{"user_agent": e.UserAgent, "uid": e.RequestID},
			"unmapped":     map[string]any{"changes": e.Changes, "prev_hash": e.PrevHash, "hash": e.Hash},
		})
	}
}
