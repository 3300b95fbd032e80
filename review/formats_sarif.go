package review

import (
	"encoding/json"
	"io"
	"iter"
	"slices"
	"strings"

	promptrails "github.com/promptrails-community/promptrails-go"
)

const (
	sarifVersion = "2.1.0"
	sarifSchema  = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	sarifResults = `"results":[`
	toolName     = "promptrails-review"
	toolURL      = "https://github.com/promptrails-community/promptrails-go"
)

// WriteSARIF writes findings as a SARIF 2.1.0 log with one run. It holds one of
// them in memory. A finding has a logical location, workspace/type/id, because it
// is not in a file. rules are the rules that were applied: those of
// [Options.Rules], or [DefaultRules].
func WriteSARIF(w io.Writer, findings iter.Seq[Finding], rules []Rule) error {
	run := sarifRun{Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: toolName, Version: promptrails.Version, InformationURI: toolURL, Rules: []sarifRule{}}
	for _, rule := range rules {
		described := sarifRule{ID: rule.ID, ShortDescription: sarifText{rule.Title}}
		described.DefaultConfiguration.Level = sarifLevel(rule.Severity)
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, described)
	}
	log, err := json.Marshal(sarifLog{Schema: sarifSchema, Version: sarifVersion, Runs: []sarifRun{run}})
	if err != nil {
		return err
	}
	before, after, _ := strings.Cut(string(log), sarifResults) // in a string, its quotes would be escaped
	if _, err := io.WriteString(w, before+sarifResults); err != nil {
		return err
	}
	separator := "\n"
	for f := range orNone(findings) {
		result, err := json.Marshal(newSARIFResult(&f, rules))
		if err == nil {
			_, err = io.WriteString(w, separator+string(result))
		}
		if err != nil {
			return err
		}
		separator = ",\n"
	}
	_, err = io.WriteString(w, after+"\n")
	return err
}

func newSARIFResult(f *Finding, rules []Rule) sarifResult {
	result := sarifResult{
		RuleID: f.Rule, Level: sarifLevel(f.Severity), Message: sarifText{f.Message + " To mend it: " + f.Mend},
		PartialFingerprints: map[string]string{"finding/v1": f.fingerprint()},
	}
	if i := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == f.Rule }); i >= 0 {
		result.RuleIndex = &i
	}
	result.Locations = []sarifLocation{{LogicalLocations: []sarifLogicalLocation{{
		Name: f.Object.Name, FullyQualifiedName: f.Workspace + "/" + string(f.Object.Type) + "/" + f.Object.ID, Kind: "resource",
	}}}}
	return result
}

func sarifLevel(s Severity) string {
	switch s {
	case SeverityHigh:
		return "error"
	case SeverityMedium:
		return "warning"
	case SeverityLow:
		return "note"
	default:
		return "none"
	}
}

// The parts of a SARIF log that this package writes.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID                   string    `json:"id"`
		ShortDescription     sarifText `json:"shortDescription"`
		DefaultConfiguration struct {
			Level string `json:"level"`
		} `json:"defaultConfiguration"`
	}
	sarifResult struct {
		RuleID              string            `json:"ruleId"`
		RuleIndex           *int              `json:"ruleIndex,omitempty"`
		Level               string            `json:"level"`
		Message             sarifText         `json:"message"`
		Locations           []sarifLocation   `json:"locations"`
		PartialFingerprints map[string]string `json:"partialFingerprints"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifLocation struct {
		LogicalLocations []sarifLogicalLocation `json:"logicalLocations"`
	}
	sarifLogicalLocation struct {
		Name               string `json:"name"`
		FullyQualifiedName string `json:"fullyQualifiedName"`
		Kind               string `json:"kind"`
	}
)
