package review

import (
	"fmt"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// eachKey returns a finding for each API key that problem has a message for.
func (w *Workspace) eachKey(problem func(*promptrails.APIKey) (message, mend string)) (found []Finding) {
	for _, k := range w.APIKeys {
		message, mend := problem(k)
		if message == "" {
			continue
		}
		found = append(found, Finding{
			Object:  promptrails.ResourceRef{Type: promptrails.ResourceAPIKey, ID: k.ID, Name: k.Name},
			Message: fmt.Sprintf("The API key %q ", k.Name) + message, Mend: mend,
		})
	}
	return found
}

func (w *Workspace) revoke(k *promptrails.APIKey) string {
	return w.mend("APIKeys.Revoke(ctx, %q)", k.ID)
}

// narrow returns the call that restricts the scopes of a key. A key that is being
// replaced cannot be changed.
func (w *Workspace) narrow(k *promptrails.APIKey) string {
	if k.Status == promptrails.APIKeyRotating {
		return w.revoke(k)
	}
	return w.mend("APIKeys.Update(ctx, %q, &promptrails.UpdateAPIKeyParams{Scopes: &scopes})", k.ID)
}

func (w *Workspace) expire(k *promptrails.APIKey) string {
	return w.mend("APIKeys.Update(ctx, %q, &promptrails.UpdateAPIKeyParams{ExpiresAt: &expiry})", k.ID)
}

func keyAllScopes(w *Workspace, _ Params) []Finding {
	return w.eachKey(func(k *promptrails.APIKey) (message, mend string) {
		if !k.Scopes.Covers(promptrails.ScopeAll) {
			return "", ""
		}
		return "has the scope *, so whoever has it can do everything in the workspace. Grant only the scopes that it needs.", w.narrow(k)
	})
}

func keyInvites(w *Workspace, _ Params) []Finding {
	return w.eachKey(func(k *promptrails.APIKey) (message, mend string) {
		if k.Scopes.Covers(promptrails.ScopeAll) || !k.Scopes.Covers(promptrails.ScopeMembersWrite) {
			return "", ""
		}
		return "has the scope members:write, with which it can invite an admin. That is as much as the scope *.", w.narrow(k)
	})
}

func keyMakerLeft(w *Workspace, _ Params) []Finding {
	return w.eachKey(func(k *promptrails.APIKey) (message, mend string) {
		if maker, known := w.Maker(k); !known || maker != nil {
			return "", ""
		}
		return fmt.Sprintf("was created by the user %s, who is no longer a member and may still know it.", k.CreatedBy), w.revoke(k)
	})
}

func keyWithoutExpiry(w *Workspace, _ Params) []Finding {
	return w.eachKey(func(k *promptrails.APIKey) (message, mend string) {
		if !k.ExpiresAt.IsZero() || k.Status == promptrails.APIKeyRotating {
			return "", ""
		}
		return "never expires, so it remains valid if it leaks or is forgotten.", w.expire(k)
	})
}

func keyExpires(w *Workspace, p Params) []Finding {
	return w.eachKey(func(k *promptrails.APIKey) (message, mend string) {
		if k.ExpiresAt.IsZero() || k.Status == promptrails.APIKeyRotating || k.ExpiresAt.Sub(w.ReadAt) > p.KeyExpires {
			return "", ""
		}
		return "expires on " + date(k.ExpiresAt) + ". Programs that use it fail from then on.", w.expire(k)
	})
}

func keyUnused(w *Workspace, p Params) []Finding {
	return w.eachKey(func(k *promptrails.APIKey) (message, mend string) {
		last := "was never used"
		used := k.CreatedAt
		if !k.LastUsedAt.IsZero() {
			last, used = "was last used on "+date(k.LastUsedAt), k.LastUsedAt
		}
		if w.ReadAt.Sub(used) <= p.KeyUnused {
			return "", ""
		}
		return fmt.Sprintf("%s, and was created on %s. A key that no one needs is only a risk.", last, date(k.CreatedAt)), w.revoke(k)
	})
}

func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }
