package review

import (
	"encoding/json"
	"io"
	"iter"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Before version 1.5.0, a Compliance Finding must name the standard of a regulator or
// an industry that it is about.
const ocsfVersion = "1.6.0"

// WriteOCSF writes findings as JSON Lines, each an event of the class Compliance
// Finding (2003) of OCSF 1.6.0 (https://schema.ocsf.io/1.6.0/classes/compliance_finding).
// It holds one of them in memory. rules are the rules that were applied, as in
// [WriteSARIF]. at is the time of the review, such as [Report.At] or
// [Workspace.ReadAt]. It must not be zero.
//
// The activity is Create and the status New. A finding has the same
// finding_info.uid in each review that finds it; to write only those that an
// earlier review did not find, pass [Changes.Found]. metadata.tenant_uid is the id
// of the workspace.
func WriteOCSF(w io.Writer, findings iter.Seq[Finding], rules []Rule, at time.Time) error {
	if at.IsZero() {
		return invalid("at", "must not be zero")
	}
	titles := map[string]string{}
	for _, rule := range rules {
		titles[rule.ID] = rule.Title
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for f := range orNone(findings) {
		if err := encoder.Encode(newOCSFEvent(&f, titles[f.Rule], at)); err != nil {
			return err
		}
	}
	return nil
}

func newOCSFEvent(f *Finding, title string, at time.Time) *ocsfEvent {
	if title == "" {
		title = f.Rule
	}
	e := &ocsfEvent{
		ActivityID: 1, ActivityName: "Create",
		CategoryUID: 2, CategoryName: "Findings",
		ClassUID: 2003, ClassName: "Compliance Finding",
		TypeUID: 200301, TypeName: "Compliance Finding: Create",
		Time:     at.UnixMilli(),
		StatusID: 1, Status: "New",
		Message: f.Message,
		Metadata: ocsfMetadata{
			Version:   ocsfVersion,
			Product:   ocsfProduct{Name: toolName, VendorName: "promptrails-community", Version: promptrails.Version, URL: toolURL},
			TenantUID: f.WorkspaceID,
		},
		FindingInfo: ocsfFindingInfo{UID: f.fingerprint(), Title: title, Desc: f.Message, Types: []string{f.Rule}},
		Compliance:  ocsfCompliance{Control: f.Rule, StatusID: 3, Status: "Fail"},
	}
	e.SeverityID, e.Severity = ocsfSeverity(f.Severity)
	if f.Object.ID != "" || f.Object.Name != "" {
		e.Resources = []ocsfResource{{UID: f.Object.ID, Name: f.Object.Name, Type: string(f.Object.Type), Namespace: f.Workspace}}
	}
	if f.Mend != "" {
		e.Remediation = &ocsfRemediation{Desc: f.Mend}
	}
	return e
}

func ocsfSeverity(s Severity) (id int, caption string) {
	switch s {
	case SeverityLow:
		return 2, "Low"
	case SeverityMedium:
		return 3, "Medium"
	case SeverityHigh:
		return 4, "High"
	case "":
		return 0, "Unknown"
	default:
		return 99, string(s) // Other
	}
}

// The parts of an OCSF event that this package writes.
type (
	ocsfEvent struct {
		ActivityID   int              `json:"activity_id"`
		ActivityName string           `json:"activity_name"`
		CategoryUID  int              `json:"category_uid"`
		CategoryName string           `json:"category_name"`
		ClassUID     int              `json:"class_uid"`
		ClassName    string           `json:"class_name"`
		TypeUID      int              `json:"type_uid"`
		TypeName     string           `json:"type_name"`
		Time         int64            `json:"time"`
		SeverityID   int              `json:"severity_id"`
		Severity     string           `json:"severity"`
		StatusID     int              `json:"status_id"`
		Status       string           `json:"status"`
		Message      string           `json:"message,omitempty"`
		Metadata     ocsfMetadata     `json:"metadata"`
		FindingInfo  ocsfFindingInfo  `json:"finding_info"`
		Compliance   ocsfCompliance   `json:"compliance"`
		Resources    []ocsfResource   `json:"resources,omitempty"`
		Remediation  *ocsfRemediation `json:"remediation,omitempty"`
	}
	ocsfMetadata struct {
		Version   string      `json:"version"`
		Product   ocsfProduct `json:"product"`
		TenantUID string      `json:"tenant_uid,omitempty"`
	}
	ocsfProduct struct {
		Name       string `json:"name"`
		VendorName string `json:"vendor_name"`
		Version    string `json:"version"`
		URL        string `json:"url_string"`
	}
	ocsfFindingInfo struct {
		UID   string   `json:"uid"`
		Title string   `json:"title"`
		Desc  string   `json:"desc,omitempty"`
		Types []string `json:"types"`
	}
	ocsfCompliance struct {
		Control  string `json:"control"`
		StatusID int    `json:"status_id"`
		Status   string `json:"status"`
	}
	ocsfResource struct {
		UID       string `json:"uid,omitempty"`
		Name      string `json:"name,omitempty"`
		Type      string `json:"type,omitempty"`
		Namespace string `json:"namespace,omitempty"`
	}
	ocsfRemediation struct {
		Desc string `json:"desc"`
	}
)
