package review_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/review"
)

// The table of a review shows findings with their calls, and everyone with
// access.
func TestWriteTable(t *testing.T) {
	t.Parallel()
	w, _ := inhabited(t)
	var out strings.Builder
	ok(t, w.access(w.ada, w.optionsAfter(31*day)).WriteTable(&out))
	_, research, _ := strings.Cut(out.String(), "\n\n")
	want := `The research (research), plan pro
  medium  masking-off        The plan pro has data masking, but it is off: model providers receive personal data.
                             client.InWorkspace("ID").Masking.Update(ctx, &promptrails.UpdateMaskingParams{Enabled: new(true)})
  low     credential-unused  No resource refers to the credential "Spare" of type "openai". Delete it, and revoke its value at the provider.
                             client.InWorkspace("ID").Credentials.Delete(ctx, "ID", nil)
  member      grace@example.com      admin              active never
  member      ada@example.com        owner              active 2026-01-02
  invitation  joan@example.com       user               expires 2026-01-09
  key         Deploy                 agents:read        used never  expires 2027-01-02  by ada@example.com
  credential  Spare                  openai             used by 0
  credential  Model                  openai             used by 1
  channel     Alarms                 https://127.0.0.1  active
  limit       monthly_executions     0 of 100000
  limit       team_members           3 of 20
  limit       active_agents          1 of 50
  limit       data_sources           0 of 25
  limit       notification_channels  1 of 10
`
	if diff := cmp.Diff(want, ids.ReplaceAllString(research, "ID")); diff != "" {
		t.Errorf("table of research (-want +got):\n%s", diff)
	}
}

// ids are the ids of objects.
var ids = regexp.MustCompile(`[0-9A-Za-z]{27}`)

// Names of others do not reach a terminal as its commands, nor a spreadsheet as
// formulas.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, promptrails.PlanPro)
	w.key(w.in, "=cmd|' /C calc'!A0", promptrails.ScopeAll)
	report := w.access(w.ada, w.options())
	report.Workspaces[0].APIKeys[0].Last4 = ""
	report.Workspaces[0].Info.Name = "A\x1b[2J\tB" // the embedded service refuses such a name
	var table, findings, access bytes.Buffer
	ok(t, report.WriteTable(&table))
	if strings.Contains(table.String(), "\x1b") || !strings.Contains(table.String(), `A\x1b[2J\tB`) {
		t.Errorf("table: got %q, want the name escaped", table.String())
	}
	report.Workspaces[0].Info.Name = `C:\"x"` + "\u202e\xff"
	table.Reset()
	ok(t, report.WriteTable(&table))
	if !strings.Contains(table.String(), `C:\"x"\u202e\xff`) {
		t.Errorf("table: got %q, want a backslash unchanged, and what is not graphic escaped", table.String())
	}
	ok(t, review.WriteFindingsCSV(&findings, report.Findings()))
	ok(t, review.WriteAccessCSV(&access, each(report)))
	for name, out := range map[string]*bytes.Buffer{"findings": &findings, "access": &access} {
		cells := 0
		for _, row := range must[[][]string](t)(csv.NewReader(out).ReadAll()) {
			for _, cell := range row {
				if strings.HasPrefix(cell, "=") {
					t.Errorf("CSV of %s: got the formula %q, want an apostrophe before it", name, cell)
				}
				if cell == "'=cmd|' /C calc'!A0" {
					cells++
				}
			}
		}
		if cells == 0 {
			t.Errorf("CSV of %s: got no cell with the name, want one", name)
		}
	}
}

// each returns the workspaces of a report as [review.Each] yields them.
func each(report *review.Report) iter.Seq2[*review.Workspace, error] {
	return func(yield func(*review.Workspace, error) bool) {
		for _, w := range report.Workspaces {
			if !yield(w, nil) {
				return
			}
		}
	}
}

func TestWriteCSV(t *testing.T) {
	t.Parallel()
	w, _ := inhabited(t)
	var out bytes.Buffer
	ok(t, review.WriteAccessCSV(&out, review.Each(t.Context(), w.ada, w.options())))
	rows := must[[][]string](t)(csv.NewReader(&out).ReadAll())
	var got [][]string
	for _, row := range rows {
		got = append(got, slices.Concat(row[1:3], row[4:]))
	}
	want := [][]string{
		{"workspace", "type", "name", "role_or_scopes", "restrictions", "last_active", "expires", "created", "maker"},
		{"empty", "member", "ada@example.com", "owner", "", "2026-01-02", "", "2026-01-02", ""},
		{"research", "member", "grace@example.com", "admin", "", "never", "", "2026-01-02", ""},
		{"research", "member", "ada@example.com", "owner", "", "2026-01-02", "", "2026-01-02", ""},
		{"research", "invitation", "joan@example.com", "user", "", "", "2026-01-09", "2026-01-02", rows[4][10]},
		{"research", "api_key", "Deploy", "agents:read", "", "never", "2027-01-02", "2026-01-02", "ada@example.com"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("CSV of access (-want +got):\n%s", diff)
	}
	report := w.access(w.ada, w.options())
	out.Reset()
	ok(t, review.WriteFindingsCSV(&out, report.Findings()))
	rows = must[[][]string](t)(csv.NewReader(&out).ReadAll())
	if n := len(rules(report)); len(rows) != n+1 || rows[1][1] != "masking-off" || len(rows[1]) != 9 {
		t.Errorf("CSV of findings: got %q, want a header and %d rows", rows, n)
	}
}

// The error of a review, and that of the writer, reach the caller.
func TestFormatErrors(t *testing.T) {
	t.Parallel()
	w, _ := inhabited(t)
	failed := errors.New("failed")
	err := review.WriteAccessCSV(new(bytes.Buffer), func(yield func(*review.Workspace, error) bool) { yield(nil, failed) })
	if !errors.Is(err, failed) {
		t.Errorf("WriteAccessCSV of a failed review: got %v, want its error", err)
	}
	report := w.access(w.ada, w.options())
	for name, write := range map[string]func() error{
		"table":        func() error { return report.WriteTable(broken{failed}) },
		"changes":      func() error { return review.Diff(report, report).WriteTable(broken{failed}) },
		"forecasts":    func() error { return review.WriteForecasts(broken{failed}, report.Workspaces[0].Forecast()) },
		"findings CSV": func() error { return review.WriteFindingsCSV(broken{failed}, report.Findings()) },
		"access CSV":   func() error { return review.WriteAccessCSV(broken{failed}, each(report)) },
		"SARIF":        func() error { return review.WriteSARIF(broken{failed}, report.Findings(), nil) },
		"OCSF":         func() error { return review.WriteOCSF(broken{failed}, report.Findings(), nil, report.At) },
	} {
		if err := write(); !errors.Is(err, failed) {
			t.Errorf("%s to a writer that fails: got %v, want its error", name, err)
		}
	}
}

// broken is a writer that fails.
type broken struct{ err error }

func (b broken) Write(p []byte) (int, error) { return iotest.ErrReader(b.err).Read(p) }

func TestWriteChangesAndForecasts(t *testing.T) {
	t.Parallel()
	w, _ := inhabited(t)
	before := w.access(w.ada, w.options())
	must[*promptrails.Member](t)(w.in.Members.UpdateRole(t.Context(), before.Workspaces[1].Members[0].ID, promptrails.RoleUser))
	w.key(w.in, "Everything", promptrails.ScopeAll)
	w.clock.forward(day)
	after := w.access(w.ada, w.options())
	var out strings.Builder
	ok(t, review.Diff(before, after).WriteTable(&out))
	for _, want := range []string{
		"Changes from 2026-01-02 to 2026-01-03\n",
		`changed  research  member   grace@example.com  role: "admin" → "user"`,
		"added    research  api_key  Everything",
		"found    research  api_key  Everything  api-key-all-scopes",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("table of changes: got\n%s\nwant it to contain %q", &out, want)
		}
	}
	out.Reset()
	ok(t, review.WriteForecasts(&out, after.Workspaces[1].Forecast()))
	for _, want := range []string{
		"WORKSPACE  LIMIT                  USED         PER DAY  REACHED\n",
		"research   team_members           3 of 20      2.00     2026-01-11\n",
		"research   monthly_executions     0 of 100000  0.00     never\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("table of forecasts: got\n%s\nwant it to contain %q", &out, want)
		}
	}
}

// The SARIF log has the fields that its schema requires, and a result for each
// finding that names its rule.
func TestWriteSARIF(t *testing.T) {
	t.Parallel()
	w, _ := inhabited(t)
	w.key(w.in, "Everything", promptrails.ScopeAll)
	report := w.access(w.ada, w.options())
	var out bytes.Buffer
	ok(t, review.WriteSARIF(&out, report.Findings(), review.DefaultRules()))
	var log struct {
		Schema  string `json:"$schema"`
		Version string `json:"version"`
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name  string `json:"name"`
					Rules []struct {
						ID                   string                `json:"id"`
						ShortDescription     struct{ Text string } `json:"shortDescription"`
						DefaultConfiguration struct{ Level string }
					} `json:"rules"`
				} `json:"driver"`
			} `json:"tool"`
			Results []struct {
				RuleID    string                `json:"ruleId"`
				RuleIndex int                   `json:"ruleIndex"`
				Level     string                `json:"level"`
				Message   struct{ Text string } `json:"message"`
				Locations []struct {
					LogicalLocations []struct {
						FullyQualifiedName string `json:"fullyQualifiedName"`
					} `json:"logicalLocations"`
				} `json:"locations"`
				PartialFingerprints map[string]string `json:"partialFingerprints"`
			} `json:"results"`
		} `json:"runs"`
	}
	ok(t, json.Unmarshal(out.Bytes(), &log))
	if log.Version != "2.1.0" || !strings.Contains(log.Schema, "sarif-schema-2.1.0.json") || len(log.Runs) != 1 {
		t.Fatalf("log: got version %q, schema %q, %d runs; want 2.1.0 and one run", log.Version, log.Schema, len(log.Runs))
	}
	run := log.Runs[0]
	if run.Tool.Driver.Name == "" || len(run.Tool.Driver.Rules) != len(review.DefaultRules()) {
		t.Errorf("driver: got %+v, want a name and all rules", run.Tool.Driver)
	}
	var got []string
	fingerprints := map[string]bool{}
	for _, r := range run.Results {
		got = append(got, r.RuleID)
		if run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID || r.Message.Text == "" || len(r.Locations) != 1 || r.Locations[0].LogicalLocations[0].FullyQualifiedName == "" {
			t.Errorf("result: got %+v, want the index of its rule, a message and a location", r)
		}
		if !slices.Contains([]string{"none", "note", "warning", "error"}, r.Level) {
			t.Errorf("level: got %q, want one of SARIF", r.Level)
		}
		fingerprints[r.PartialFingerprints["finding/v1"]] = true
	}
	if want := rules(report); !slices.Equal(got, want) || len(fingerprints) != len(want) {
		t.Errorf("results: got %q with %d fingerprints, want %q", got, len(fingerprints), want)
	}
	out.Reset()
	ok(t, review.WriteSARIF(&out, func(func(review.Finding) bool) {}, nil))
	if text := out.String(); !strings.Contains(text, `"results":[]`) || !strings.Contains(text, `"rules":[]`) {
		t.Errorf("log without findings: got %s, want empty lists", text)
	}
}

// A document of nil is like that of a review that found no workspaces, and nil among
// workspaces is left out.
func TestWriteNil(t *testing.T) {
	t.Parallel()
	none := &review.Report{Workspaces: []*review.Workspace{nil}}
	for name, test := range map[string]struct{ null, empty func(io.Writer) error }{
		"table":                {(*review.Report)(nil).WriteTable, none.WriteTable},
		"table of a workspace": {(*review.Workspace)(nil).WriteTable, none.WriteTable},
		"changes":              {(*review.Changes)(nil).WriteTable, review.Diff(none, nil).WriteTable},
		"forecasts": {
			func(w io.Writer) error { return review.WriteForecasts(w, nil) },
			func(w io.Writer) error { return review.WriteForecasts(w, []review.LimitForecast{}) },
		},
		"findings CSV": {
			func(w io.Writer) error { return review.WriteFindingsCSV(w, nil) },
			func(w io.Writer) error { return review.WriteFindingsCSV(w, none.Findings()) },
		},
		"access CSV": {
			func(w io.Writer) error { return review.WriteAccessCSV(w, nil) },
			func(w io.Writer) error { return review.WriteAccessCSV(w, each(none)) },
		},
		"OCSF": {
			func(w io.Writer) error { return review.WriteOCSF(w, nil, nil, time.Now()) },
			func(w io.Writer) error { return review.WriteOCSF(w, none.Findings(), []review.Rule{}, time.Now()) },
		},
		"SARIF": {
			func(w io.Writer) error { return review.WriteSARIF(w, nil, nil) },
			func(w io.Writer) error {
				return review.WriteSARIF(w, (*review.Report)(nil).Findings(), []review.Rule{})
			},
		},
	} {
		var null, empty strings.Builder
		ok(t, test.null(&null))
		ok(t, test.empty(&empty))
		if null.String() != empty.String() {
			t.Errorf("%s of nil: got %q, want %q", name, &null, &empty)
		}
	}
	if heads := (*review.Report)(nil).Heads(); heads == nil || len(heads) != 0 {
		t.Errorf("Heads of nil: got %v, want an empty map", heads)
	}
}

// A table without rows has a sentence, so that its reader does not wait for more.
func TestWriteEmptyTables(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	unread := &review.Changes{Before: at, After: at, Skipped: []review.SkippedSection{{Workspace: "research", Section: review.SectionMembers}}}
	for want, write := range map[string]func(io.Writer) error{
		"No workspaces were reviewed.\n":                                                      new(review.Report).WriteTable,
		"Changes from no review to 2026-01-02\n  no changes\n":                                review.Diff(nil, &review.Report{At: at}).WriteTable,
		"Changes from 2026-01-02 to 2026-01-02\n  no changes\n  skipped  research  members\n": unread.WriteTable,
		"No limits were read.\n":                                                              func(w io.Writer) error { return review.WriteForecasts(w, nil) },
	} {
		var out strings.Builder
		ok(t, write(&out))
		if out.String() != want {
			t.Errorf("table: got %q, want %q", &out, want)
		}
	}
}

// AtLeast orders severities, for the exit status of a program.
func TestSeverity(t *testing.T) {
	t.Parallel()
	ascending := []review.Severity{"unknown", review.SeverityLow, review.SeverityMedium, review.SeverityHigh}
	for i, s := range ascending {
		for j, other := range ascending {
			if got := s.AtLeast(other); got != (i >= j) {
				t.Errorf("%s.AtLeast(%s): got %t, want %t", s, other, got, i >= j)
			}
		}
	}
}
