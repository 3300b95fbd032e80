package review

import (
	"context"
	"errors"
	"iter"

	"golang.org/x/sync/errgroup"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// section reads one part of a workspace. read can be called again after an error.
// then, which may be nil, makes further requests. missing are the sections that are
// not read if read fails.
type section struct {
	missing []Section
	read    func(context.Context, *reading) error
	then    func(context.Context, *reading) error
}

var sectionOrder = []Section{
	SectionMembers, SectionInvitations, SectionAPIKeys, SectionCredentials, SectionCredentialUsage,
	SectionChannels, SectionMasking, SectionUsage, SectionChangelog,
}

// accessSections returns the sections of [Access].
func accessSections(opts *Options) []section {
	sections := []section{
		{missing: []Section{SectionMembers}, read: readMembers},
		{missing: []Section{SectionInvitations}, read: readInvitations},
		{missing: []Section{SectionAPIKeys}, read: readAPIKeys},
		{missing: []Section{SectionCredentials, SectionCredentialUsage}, read: readCredentials, then: readCredentialUsage},
		{missing: []Section{SectionChannels}, read: readChannels},
		{missing: []Section{SectionMasking}, read: readMasking},
		{missing: []Section{SectionUsage}, read: readUsage},
	}
	if opts.VerifyChangelog {
		sections = append(sections, section{missing: []Section{SectionChangelog}, read: func(ctx context.Context, x *reading) error {
			return verifyChangelog(ctx, x, opts.Heads[x.w.Info.ID])
		}})
	}
	return sections
}

// usageSections returns the only section that [Forecast] requires.
func usageSections(*Options) []section {
	return []section{{missing: []Section{SectionUsage}, read: readUsage}}
}

// onePage requests a page when it is needed: the gate counts requests.
var onePage = promptrails.WithPrefetch(0)

func readMembers(ctx context.Context, x *reading) (err error) {
	x.w.Members, err = collect(x.client.Members.All(ctx, nil, onePage), nil)
	return err
}

func readInvitations(ctx context.Context, x *reading) (err error) {
	pending := &promptrails.ListInvitationsParams{Status: promptrails.InvitationPending}
	x.w.Invitations, err = collect(x.client.Invitations.All(ctx, pending, onePage), func(i *promptrails.Invitation) bool {
		i.Token = promptrails.Secret{}
		return true
	})
	return err
}

func readAPIKeys(ctx context.Context, x *reading) (err error) {
	x.w.APIKeys, err = collect(x.client.APIKeys.All(ctx, nil, onePage), func(k *promptrails.APIKey) bool {
		return k.Status != promptrails.APIKeyRevoked && k.Status != promptrails.APIKeyExpired
	})
	return err
}

func readCredentials(ctx context.Context, x *reading) (err error) {
	x.w.Credentials, err = collect(x.client.Credentials.All(ctx, nil, onePage), func(c *promptrails.Credential) bool {
		c.MaskedContent = "" // shows a part of the value
		return true
	})
	return err
}

// readCredentialUsage reads the usage of each credential. After the first error
// other than that of a credential that was deleted in the meantime, it reads no
// further ones.
func readCredentialUsage(ctx context.Context, x *reading) error {
	usage := make([][]*promptrails.ResourceRef, len(x.w.Credentials))
	found := make([]bool, len(x.w.Credentials))
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrency)
	for i, c := range x.w.Credentials {
		group.Go(func() error {
			return x.gate.do(within, func() (err error) {
				usage[i], err = x.client.Credentials.Usage(within, c.ID)
				if found[i] = err == nil; errors.Is(err, promptrails.ErrNotFound) {
					return nil
				}
				return err
			})
		})
	}
	err := group.Wait()
	x.w.CredentialUsage = map[string][]*promptrails.ResourceRef{}
	for i, c := range x.w.Credentials {
		if found[i] {
			x.w.CredentialUsage[c.ID] = usage[i]
		}
	}
	if err != nil {
		return x.gap(ctx, err, SectionCredentialUsage)
	}
	return nil
}

func readChannels(ctx context.Context, x *reading) (err error) {
	x.w.Channels, err = collect(x.client.Notifications.AllChannels(ctx, nil, onePage), func(c *promptrails.Channel) bool {
		c.URL, c.Secret = origin(c.URL), promptrails.Secret{}
		return true
	})
	return err
}

func readMasking(ctx context.Context, x *reading) (err error) {
	x.w.Masking, err = x.client.Masking.Get(ctx)
	return err
}

func readUsage(ctx context.Context, x *reading) (err error) {
	x.w.Usage, err = x.client.Billing.Usage(ctx)
	return err
}

// verifyChangelog verifies the changelog after an earlier head, which may be nil.
func verifyChangelog(ctx context.Context, x *reading, from *promptrails.ChangelogHead) error {
	if from == nil {
		from = &promptrails.ChangelogHead{WorkspaceID: x.w.Info.ID}
	}
	params := &promptrails.ListChangelogParams{Order: promptrails.OrderAscending, SequenceFrom: from.Sequence}
	head, err := promptrails.VerifyChangelog(x.client.Changelog.All(ctx, params, onePage), from)
	if broken, ok := errors.AsType[*promptrails.ChainError](err); ok {
		x.w.Changelog = &Changelog{Broken: broken.Reason, Sequence: broken.Sequence}
		if from.Sequence > 0 {
			x.w.Changelog.Head = from // for the next review, which must find the same
		}
		return nil
	}
	if err != nil {
		return err
	}
	x.w.Changelog = &Changelog{Head: head}
	return nil
}

// collect returns the items for which keep returns true. A nil keep keeps all.
func collect[T any](items iter.Seq2[*T, error], keep func(*T) bool) (kept []*T, err error) {
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		if keep == nil || keep(item) {
			kept = append(kept, item)
		}
	}
	return kept, nil
}
