package review_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/review"
)

// ocsfAttributes are the attributes of a Compliance Finding in the schema of OCSF
// 1.6.0 that a review can know, by object. The value is true for a required one.
// An object named resources is one of a list.
var ocsfAttributes = map[string]map[string]bool{
	"": {
		"activity_id": true, "activity_name": false, "category_uid": true, "category_name": false, "class_uid": true, "class_name": false,
		"type_uid": true, "type_name": false, "time": true, "severity_id": true, "severity": false, "status_id": false, "status": false,
		"message": false, "metadata": true, "finding_info": true, "compliance": true, "resources": false, "remediation": false,
	},
	"metadata":         {"version": true, "product": true, "tenant_uid": false},
	"metadata.product": {"name": true, "vendor_name": false, "version": false, "url_string": false}, // name or uid
	"finding_info":     {"uid": true, "title": false, "desc": false, "types": false},
	"compliance":       {"control": false, "status_id": false, "status": false},
	"resources":        {"uid": false, "name": false, "type": false, "namespace": false},
	"remediation":      {"desc": true},
}

// ocsfEnums are the values of OCSF 1.6.0, and the attribute that has the caption of
// the value. The caption of 99 is up to the source.
var ocsfEnums = map[string]struct {
	caption string
	values  map[float64]string
}{
	"activity_id":          {"activity_name", map[float64]string{0: "Unknown", 1: "Create", 2: "Update", 3: "Close", 99: ""}},
	"category_uid":         {"category_name", map[float64]string{2: "Findings"}},
	"class_uid":            {"class_name", map[float64]string{2003: "Compliance Finding"}},
	"type_uid":             {"type_name", map[float64]string{200301: "Compliance Finding: Create"}}, // class_uid * 100 + activity_id
	"severity_id":          {"severity", map[float64]string{0: "Unknown", 1: "Informational", 2: "Low", 3: "Medium", 4: "High", 5: "Critical", 6: "Fatal", 99: ""}},
	"status_id":            {"status", map[float64]string{0: "Unknown", 1: "New", 2: "In Progress", 3: "Suppressed", 4: "Resolved", 5: "Archived", 6: "Deleted", 99: ""}},
	"compliance.status_id": {"status", map[float64]string{0: "Unknown", 1: "Pass", 2: "Warning", 3: "Fail", 99: ""}},
}

// checkOCSF compares an object of an event with the schema.
func checkOCSF(t *testing.T, name string, object map[string]any) {
	t.Helper()
	for attribute, required := range ocsfAttributes[name] {
		if value, ok := object[attribute]; required && !ok || value == "" {
			t.Errorf("%s.%s: got %v, want a value", name, attribute, value)
		}
	}
	for attribute, value := range object {
		if _, ok := ocsfAttributes[name][attribute]; !ok {
			t.Errorf("%s.%s: got %v, want no attribute that the schema does not have", name, attribute, value)
		}
		path := strings.TrimPrefix(name+"."+attribute, ".")
		if enum, ok := ocsfEnums[path]; ok {
			id, _ := value.(float64)
			caption := object[enum.caption]
			if want, ok := enum.values[id]; !ok || want != "" && want != caption {
				t.Errorf("%s: got %v with the caption %v, want one of %v", path, value, caption, enum.values)
			}
		}
		switch value := value.(type) {
		case map[string]any:
			checkOCSF(t, path, value)
		case []any:
			for _, element := range value {
				if object, ok := element.(map[string]any); ok {
					checkOCSF(t, path, object)
				}
			}
		}
	}
}

// events returns the events of JSON Lines.
func events(t *testing.T, lines []byte) (all []map[string]any) {
	t.Helper()
	for line := range bytes.Lines(lines) {
		var event map[string]any
		ok(t, json.Unmarshal(line, &event))
		all = append(all, event)
	}
	return all
}

// Each finding is one line that the schema of OCSF allows.
func TestWriteOCSF(t *testing.T) {
	t.Parallel()
	w := troubled()
	own := review.Rule{ID: "acme", Check: func(*review.Workspace, review.Params) []review.Finding {
		return []review.Finding{{Severity: "urgent"}, {Message: "A finding\nof two lines."}}
	}}
	rules := append(review.DefaultRules(), own)
	w.Findings = w.Check(rules, review.Params{})
	var out bytes.Buffer
	ok(t, review.WriteOCSF(&out, slices.Values(w.Findings), rules, w.ReadAt))
	written := events(t, out.Bytes())
	if len(written) != len(w.Findings) {
		t.Fatalf("events: got %d, want %d", len(written), len(w.Findings))
	}
	for _, event := range written {
		checkOCSF(t, "", event)
	}
	i := slices.IndexFunc(w.Findings, func(f review.Finding) bool { return f.Rule == "api-key-unused" })
	want := map[string]any{
		"activity_id": 1.0, "activity_name": "Create", "category_uid": 2.0, "category_name": "Findings", "class_uid": 2003.0, "class_name": "Compliance Finding",
		"type_uid": 200301.0, "type_name": "Compliance Finding: Create", "time": 1767312000000.0, "severity_id": 3.0, "severity": "Medium",
		"status_id": 1.0, "status": "New", "message": w.Findings[i].Message,
		"metadata": map[string]any{"version": "1.6.0", "tenant_uid": "w", "product": map[string]any{
			"name": "promptrails-review", "vendor_name": "promptrails-community", "version": promptrails.Version, "url_string": "https://github.com/promptrails-community/promptrails-go",
		}},
		"finding_info": map[string]any{
			"uid": "w/api-key-unused/api_key/k1", "title": "Unused API key", "desc": w.Findings[i].Message, "types": []any{"api-key-unused"},
		},
		"compliance":  map[string]any{"control": "api-key-unused", "status_id": 3.0, "status": "Fail"},
		"resources":   []any{map[string]any{"uid": "k1", "type": "api_key", "namespace": "research"}},
		"remediation": map[string]any{"desc": `client.InWorkspace("w").APIKeys.Revoke(ctx, "k1")`},
	}
	if diff := cmp.Diff(want, written[i]); diff != "" {
		t.Errorf("event of %s (-want +got):\n%s", w.Findings[i].Rule, diff)
	}
	if !strings.Contains(out.String(), "&promptrails.UpdateAPIKeyParams") {
		t.Errorf("events: got no call with an ampersand, want calls as a person reads them:\n%s", &out)
	}
	severities := map[any]any{}
	for _, event := range written {
		severities[event["severity_id"]] = event["severity"]
	}
	if diff := cmp.Diff(map[any]any{0.0: "Unknown", 2.0: "Low", 3.0: "Medium", 4.0: "High", 99.0: "urgent"}, severities); diff != "" {
		t.Errorf("severities (-want +got):\n%s", diff)
	}
}

// A tool recognizes a finding in later reviews, in OCSF as in SARIF.
func TestFingerprints(t *testing.T) {
	t.Parallel()
	w, _ := inhabited(t)
	w.key(w.in, "Everything", promptrails.ScopeAll)
	first := w.access(w.ada, w.options())
	w.clock.forward(day)
	second := w.access(w.ada, w.options())
	uids := func(report *review.Report) (uids []string) {
		var out bytes.Buffer
		ok(t, review.WriteOCSF(&out, report.Findings(), nil, report.At))
		for _, event := range events(t, out.Bytes()) {
			uids = append(uids, event["finding_info"].(map[string]any)["uid"].(string))
		}
		return uids
	}
	got := uids(second)
	if diff := cmp.Diff(uids(first), got); diff != "" || len(got) == 0 {
		t.Errorf("finding_info.uid of the second review (-first +second):\n%s", diff)
	}
	if unique := slices.Compact(slices.Sorted(slices.Values(got))); len(unique) != len(got) {
		t.Errorf("finding_info.uid: got %q, want unique ones", got)
	}
	var sarif bytes.Buffer
	ok(t, review.WriteSARIF(&sarif, second.Findings(), nil))
	for _, uid := range got {
		if !strings.Contains(sarif.String(), `"finding/v1":"`+uid+`"`) {
			t.Errorf("SARIF: got no fingerprint %s, want that of OCSF:\n%s", uid, &sarif)
		}
	}
}

// A finding is written before the next one is read, so that any number of them
// can be written, and none is read after an error of the writer.
func TestWriteOneByOne(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(io.Writer, iter.Seq[review.Finding]) error{
		"OCSF":  func(w io.Writer, f iter.Seq[review.Finding]) error { return review.WriteOCSF(w, f, nil, time.Now()) },
		"SARIF": func(w io.Writer, f iter.Seq[review.Finding]) error { return review.WriteSARIF(w, f, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			read := 0
			findings := func(yield func(review.Finding) bool) {
				for {
					if got := bytes.Count(out.Bytes(), []byte("acme/")); got < read {
						t.Errorf("text after %d findings: got %s, want all of them", read, &out)
					}
					if read++; !yield(review.Finding{Rule: "acme"}) {
						return
					}
				}
			}
			if err := write(&limited{w: &out, n: 4}, findings); !errors.Is(err, io.ErrShortWrite) || read < 4 || read > 5 {
				t.Errorf("on a full disk: got error %v after %d findings, want ErrShortWrite after 4 or 5", err, read)
			}
		})
	}
}

func TestWriteOCSFWithoutTime(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := review.WriteOCSF(&out, nil, nil, time.Time{}); !errors.Is(err, promptrails.ErrValidation) {
		t.Errorf("WriteOCSF without a time: got %v, want ErrValidation", err)
	}
}

// limited is a writer that fails after n writes.
type limited struct {
	w io.Writer
	n int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.n--; l.n < 0 {
		return 0, io.ErrShortWrite
	}
	return l.w.Write(p)
}
