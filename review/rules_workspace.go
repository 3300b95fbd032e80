package review

import (
	"fmt"
	"slices"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// credentialUnused does not report a default, which is used by whatever names no
// credential of its type. If a type has no default, credentialDefaultMissing
// proposes one of its credentials instead.
func credentialUnused(w *Workspace, p Params) (found []Finding) {
	withDefault := map[promptrails.CredentialType]bool{}
	for _, c := range w.Credentials {
		withDefault[c.Type] = withDefault[c.Type] || c.IsDefault
	}
	for _, c := range w.Credentials {
		if usage, known := w.CredentialUsage[c.ID]; !known || len(usage) > 0 || c.IsDefault || !withDefault[c.Type] {
			continue
		}
		if w.ReadAt.Sub(c.CreatedAt) <= p.CredentialUnused {
			continue // the agent that it is for may not exist yet
		}
		found = append(found, Finding{
			Object:  credentialRef(c),
			Message: fmt.Sprintf("No resource refers to the credential %q of type %q. Delete it, and revoke its value at the provider.", c.Name, c.Type),
			Mend:    w.mend("Credentials.Delete(ctx, %q, nil)", c.ID),
		})
	}
	return found
}

// credentialDefaultMissing proposes the credential of the type with the most uses,
// and of these the newest.
func credentialDefaultMissing(w *Workspace, _ Params) (found []Finding) {
	var types []promptrails.CredentialType
	best := map[promptrails.CredentialType]*promptrails.Credential{}
	withDefault := map[promptrails.CredentialType]bool{}
	for _, c := range w.Credentials {
		withDefault[c.Type] = withDefault[c.Type] || c.IsDefault
		switch b := best[c.Type]; {
		case b == nil:
			types = append(types, c.Type)
			best[c.Type] = c
		case len(w.CredentialUsage[c.ID]) > len(w.CredentialUsage[b.ID]):
			best[c.Type] = c
		}
	}
	for _, t := range types {
		if withDefault[t] {
			continue
		}
		found = append(found, Finding{
			Object:  credentialRef(best[t]),
			Message: fmt.Sprintf("No credential of type %q is the default. Resources that name no credential cannot use one.", t),
			Mend:    w.mend("Credentials.SetDefault(ctx, %q)", best[t].ID),
		})
	}
	return found
}

func credentialRef(c *promptrails.Credential) promptrails.ResourceRef {
	return promptrails.ResourceRef{Type: promptrails.ResourceCredential, ID: c.ID, Name: c.Name}
}

func channelPaused(w *Workspace, _ Params) (found []Finding) {
	for _, c := range w.Channels {
		if c.IsActive {
			continue
		}
		reason := "A user paused it."
		if c.PausedReason != "" {
			reason = fmt.Sprintf("The service paused it: %q.", c.PausedReason)
		}
		found = append(found, Finding{
			Object:  promptrails.ResourceRef{Type: promptrails.ResourceNotificationChannel, ID: c.ID, Name: c.Name},
			Message: fmt.Sprintf("The notification channel %q to %s is paused, and its events are lost. %s", c.Name, c.URL, reason),
			Mend:    w.mend("Notifications.UpdateChannel(ctx, %q, &promptrails.UpdateChannelParams{IsActive: new(true)})", c.ID),
		})
	}
	return found
}

func maskingOff(w *Workspace, _ Params) []Finding {
	if w.Usage == nil || !w.Usage.Features[promptrails.FeatureDataMasking] || w.Masking == nil || w.Masking.Enabled {
		return nil
	}
	return []Finding{{
		Object:  promptrails.ResourceRef{Type: promptrails.ResourceDataMasking, ID: w.Info.ID, Name: w.Info.Name},
		Message: fmt.Sprintf("The plan %s has data masking, but it is off: model providers receive personal data.", w.Info.Plan),
		Mend:    w.mend("Masking.Update(ctx, &promptrails.UpdateMaskingParams{Enabled: new(true)})"),
	}}
}

func limitNearlyReached(w *Workspace, p Params) (found []Finding) {
	if w.Usage == nil {
		return nil
	}
	for _, h := range w.Usage.Headroom() {
		if h.Unlimited || h.Share <= p.LimitShare {
			continue
		}
		i := slices.IndexFunc(w.Usage.Limits, func(l promptrails.UsageLimit) bool { return l.Key == h.Key })
		limit := w.Usage.Limits[i]
		found = append(found, Finding{
			Object:  promptrails.ResourceRef{Type: promptrails.ResourceSubscription, ID: string(h.Key), Name: string(h.Key)},
			Message: fmt.Sprintf("%d of %d %s are used (%.0f %%). Beyond the limit of the plan %s, requests are refused.", limit.Used, *limit.Max, h.Key, 100*h.Share, w.Info.Plan),
			Mend:    w.mend("Billing.ChangePlan(ctx, plan)"),
		})
	}
	return found
}

// changelogBroken proposes to verify again: no call can restore an entry.
func changelogBroken(w *Workspace, _ Params) []Finding {
	if w.Changelog == nil || w.Changelog.Broken == "" {
		return nil
	}
	return []Finding{{
		Object: promptrails.ResourceRef{Type: promptrails.ResourceWorkspace, ID: w.Info.ID, Name: w.Info.Name},
		Message: fmt.Sprintf("The changelog does not verify at sequence %d: %s. Compare it with an export, and restore the entries from a backup.",
			w.Changelog.Sequence, w.Changelog.Broken),
		Mend: fmt.Sprintf("promptrails.VerifyChangelog(client.InWorkspace(%q).Changelog.All(ctx, &promptrails.ListChangelogParams{Order: promptrails.OrderAscending}), nil)", w.Info.ID),
	}}
}
