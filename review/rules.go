package review

import (
	"slices"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Rule looks for one kind of problem.
type Rule struct {
	ID       string   // unique, such as api-key-without-expiry
	Severity Severity // of findings without a severity of their own
	Title    string   // the problem in a few words
	// Check returns the findings in a workspace. Rule, WorkspaceID and Workspace
	// of a finding are set by [Workspace.Check]. Sections that could not be read
	// are nil. Check must not change the workspace.
	Check func(*Workspace, Params) []Finding
}

// Params are the bounds of the default rules. Zero fields have the default. A
// review refuses negative times, and a LimitShare that is not between 0 and 1.
type Params struct {
	KeyUnused     time.Duration // a key is unused after this time; default 90 days
	KeyExpires    time.Duration // a key is about to expire; default 14 days
	AdminInactive time.Duration // an admin or owner is inactive after this time; default 90 days
	// CredentialUnused is the age above which a credential that no resource refers
	// to is reported; default 30 days. A younger one may be about to be used.
	CredentialUnused time.Duration
	LimitShare       float64 // the share of a limit above which it is reported; default 0.8
}

const day = 24 * time.Hour

func (p Params) check() error {
	fields := map[string]string{}
	for name, d := range map[string]time.Duration{
		"KeyUnused": p.KeyUnused, "KeyExpires": p.KeyExpires, "AdminInactive": p.AdminInactive, "CredentialUnused": p.CredentialUnused,
	} {
		if d < 0 {
			fields["Params."+name] = "must not be negative"
		}
	}
	if p.LimitShare != 0 && !isShare(p.LimitShare) {
		fields["Params.LimitShare"] = "must be 0 to 1"
	}
	if len(fields) > 0 {
		return &promptrails.ValidationError{Fields: fields}
	}
	return nil
}

// complete returns p with the default for each field that is zero or invalid.
func (p Params) complete() Params {
	for _, f := range []struct {
		bound    *time.Duration
		standard time.Duration
	}{
		{&p.KeyUnused, 90 * day}, {&p.KeyExpires, 14 * day}, {&p.AdminInactive, 90 * day}, {&p.CredentialUnused, 30 * day},
	} {
		if *f.bound <= 0 {
			*f.bound = f.standard
		}
	}
	if !isShare(p.LimitShare) {
		p.LimitShare = 0.8
	}
	return p
}

// isShare is false for NaN.
func isShare(share float64) bool { return share > 0 && share <= 1 }

// DefaultRules returns the rules of this package. The caller can change the
// result.
func DefaultRules() []Rule {
	return []Rule{
		{"api-key-all-scopes", SeverityHigh, "API key with all scopes", keyAllScopes},
		{"api-key-maker-left", SeverityHigh, "API key of a person who is no longer a member", keyMakerLeft},
		{"owner-inactive", SeverityHigh, "Inactive owner", ownerInactive},
		{"changelog-broken", SeverityHigh, "Changelog that does not verify", changelogBroken},
		{"api-key-invites", SeverityMedium, "API key that can invite admins", keyInvites},
		{"api-key-without-expiry", SeverityMedium, "API key without expiry", keyWithoutExpiry},
		{"api-key-unused", SeverityMedium, "Unused API key", keyUnused},
		{"admin-inactive", SeverityMedium, "Inactive admin", adminInactive},
		{"channel-paused", SeverityMedium, "Paused notification channel", channelPaused},
		{"masking-off", SeverityMedium, "Data masking is off", maskingOff},
		{"limit-nearly-reached", SeverityMedium, "Plan limit that is nearly reached", limitNearlyReached},
		{"credential-default-missing", SeverityMedium, "Credential type without a default", credentialDefaultMissing},
		{"api-key-expires", SeverityLow, "API key that is about to expire", keyExpires},
		{"credential-unused", SeverityLow, "Unused credential", credentialUnused},
	}
}

func checkRules(rules []Rule) error {
	var ids []string
	for _, rule := range rules {
		switch {
		case rule.ID == "":
			return invalid("Rules", "must have an ID each")
		case rule.Check == nil:
			return invalid("Rules", "must have a Check each; it is nil in "+rule.ID)
		case slices.Contains(ids, rule.ID):
			return invalid("Rules", "must have unique IDs; there are two of "+rule.ID)
		}
		ids = append(ids, rule.ID)
	}
	return nil
}
