package main

import (
	"regexp"
	"strings"

	"github.com/promptrails-community/promptrails-go/review"
)

// mends are the commands that mend the findings of a rule. ID is the id of the object;
// words in capitals are for the reader to choose.
var mends = map[string]string{
	"api-key-all-scopes":         "keys update ID --scopes SCOPES",
	"api-key-maker-left":         "keys revoke ID",
	"owner-inactive":             "workspaces transfer MEMBER",
	"changelog-broken":           "changelog verify",
	"api-key-invites":            "keys update ID --scopes SCOPES",
	"api-key-without-expiry":     "keys update ID --expires-in 2160h",
	"api-key-unused":             "keys revoke ID",
	"admin-inactive":             "members role ID user",
	"channel-paused":             "channels resume ID",
	"masking-off":                "masking set --enabled",
	"limit-nearly-reached":       "workspaces plan PLAN",
	"credential-default-missing": "credentials update ID --default",
	"api-key-expires":            "keys rotate ID",
	"credential-unused":          "credentials delete ID",
}

// mend returns the command that mends a finding, or "" for a rule of another program.
func mend(f review.Finding) string {
	command, ok := mends[f.Rule]
	if !ok || strings.HasPrefix(f.Object.ID, "-") { // it would be a flag
		return ""
	}
	if strings.Contains(f.Mend, "APIKeys.Revoke(") {
		command = "keys revoke ID" // a key that is being replaced cannot be changed
	}
	return "admin -w " + word(f.Workspace) + " " + strings.Replace(command, "ID", word(f.Object.ID), 1)
}

var plainWord = regexp.MustCompile(`^[\w.@-]+$`)

// word returns text as a word of a shell. Another server may return any text.
func word(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(printable(text), "'", `'\''`) + "'"
}
