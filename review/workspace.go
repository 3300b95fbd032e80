package review

import (
	"errors"
	"slices"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Workspace is the review of one workspace. Sections that could not be read are
// nil, and listed in Gaps.
type Workspace struct {
	Info    promptrails.Workspace `json:"workspace"`
	ReadAt  time.Time             `json:"read_at"`
	Members []*promptrails.Member `json:"members"`
	// APIKeys are the keys that can be used: neither revoked nor expired. Maker
	// returns the member who created one.
	APIKeys     []*promptrails.APIKey     `json:"api_keys"`
	Invitations []*promptrails.Invitation `json:"invitations"` // pending
	Credentials []*promptrails.Credential `json:"credentials"` // without MaskedContent
	// CredentialUsage has the resources that refer to a credential, by its id. A
	// credential that is absent was not read.
	CredentialUsage map[string][]*promptrails.ResourceRef `json:"credential_usage"`
	Channels        []*promptrails.Channel                `json:"channels"` // scheme and host of the URL
	Masking         *promptrails.MaskingSettings          `json:"masking"`
	Usage           *promptrails.Usage                    `json:"usage"`
	Changelog       *Changelog                            `json:"changelog,omitempty"` // nil unless VerifyChangelog is set
	Gaps            []Gap                                 `json:"gaps"`
	Findings        []Finding                             `json:"findings"` // most severe first
}

// Changelog is the result of verifying a changelog.
type Changelog struct {
	Head     *promptrails.ChangelogHead `json:"head,omitempty"`     // the last verified entry; if Broken, that of Options.Heads or nil
	Broken   string                     `json:"broken,omitempty"`   // why the changelog does not verify
	Sequence int64                      `json:"sequence,omitempty"` // of the entry at which it does not verify
}

// Section is a part of a review.
type Section string

// The sections of a review, with the scopes that an API key requires. For a
// person, those of members, credentials and usage require the user role, and the
// others the admin role.
const (
	SectionMembers         Section = "members"          // members:read
	SectionInvitations     Section = "invitations"      // members:read
	SectionAPIKeys         Section = "api_keys"         // api_keys:read
	SectionCredentials     Section = "credentials"      // credentials:read
	SectionCredentialUsage Section = "credential_usage" // credentials:read
	SectionChannels        Section = "channels"         // notifications:read
	SectionMasking         Section = "masking"          // masking:read
	SectionUsage           Section = "usage"            // billing:read
	SectionChangelog       Section = "changelog"        // changelog:read
)

// Gap is a section that could not be read, or not completely.
type Gap struct {
	Section Section               `json:"section"`
	Message string                `json:"message"`
	Code    promptrails.ErrorCode `json:"code,omitempty"`
	Scope   promptrails.Scope     `json:"scope,omitempty"` // the scope that the API key lacks
	Role    promptrails.Role      `json:"role,omitempty"`  // the role that the caller lacks
}

func newGap(section Section, err error) Gap {
	gap := Gap{Section: section, Message: err.Error()}
	if e, ok := errors.AsType[*promptrails.Error](err); ok {
		gap.Code = e.Code
	}
	if e, ok := errors.AsType[*promptrails.ScopeError](err); ok {
		gap.Scope = e.Required
	}
	if e, ok := errors.AsType[*promptrails.RoleError](err); ok {
		gap.Role = e.Required
	}
	return gap
}

// Maker returns the member who created an API key, or nil if the creator is no
// longer a member. It reports false if the members or the creator are not known.
func (w *Workspace) Maker(key *promptrails.APIKey) (maker *promptrails.Member, known bool) {
	if !w.has(SectionMembers) || key.CreatedBy == "" {
		return nil, false
	}
	i := slices.IndexFunc(w.Members, func(m *promptrails.Member) bool { return m.UserID == key.CreatedBy })
	if i < 0 {
		return nil, true
	}
	return w.Members[i], true
}

// has reports whether a section was read completely.
func (w *Workspace) has(section Section) bool {
	return !slices.ContainsFunc(w.Gaps, func(g Gap) bool { return g.Section == section })
}
