package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

type apiKeysView struct {
	Status   promptrails.APIKeyStatus
	Statuses []promptrails.APIKeyStatus
	Items    []*promptrails.APIKey
	Pager    pager
	Scopes   []scopeGroup
}

var keyStatuses = []promptrails.APIKeyStatus{promptrails.APIKeyActive, promptrails.APIKeyRotating, promptrails.APIKeyExpired, promptrails.APIKeyRevoked}

// scopeGroup is the scopes of an area.
type scopeGroup struct {
	Area   string
	Scopes []scopeBox
}

type scopeBox struct {
	Scope promptrails.Scope
	Verb  string
}

// scopeGroups returns the scopes that this version knows, by area. The older names of the
// trigger scopes are enough.
func scopeGroups() (groups []scopeGroup) {
	for _, scope := range promptrails.KnownScopes() {
		area, verb, found := strings.Cut(string(scope), ":")
		if !found || area == "agent_triggers" {
			continue
		}
		if len(groups) == 0 || groups[len(groups)-1].Area != area {
			groups = append(groups, scopeGroup{Area: area})
		}
		last := &groups[len(groups)-1]
		last.Scopes = append(last.Scopes, scopeBox{scope, verb})
	}
	return groups
}

func (c *console) apiKeys(v *visit) error {
	view := &apiKeysView{Status: promptrails.APIKeyStatus(v.URL.Query().Get("status")), Statuses: keyStatuses, Scopes: scopeGroups()}
	list, err := v.client.APIKeys.List(v.Context(), &promptrails.ListAPIKeysParams{ListOptions: listOptions(v), Status: view.Status})
	if err != nil {
		return err
	}
	view.Items, view.Pager = list.Items, pages(v, v.path("api-keys"), list)
	return v.render("api-keys", "API Keys", view)
}

// Soon reports whether a time is within two weeks, or was.
func (s *shown) Soon(t time.Time) bool {
	return !t.IsZero() && t.Before(s.c.now().Add(14*24*time.Hour))
}

func (c *console) createAPIKey(v *visit) (*next, error) {
	expires, err := date(v.PostForm, "expires_at")
	if err != nil {
		return nil, err
	}
	key, err := v.client.APIKeys.Create(v.Context(), &promptrails.CreateAPIKeyParams{
		Name: v.PostFormValue("name"), Scopes: v.scopesOfForm(), ExpiresAt: expires,
		AllowedIPs: words(v.PostFormValue("allowed_ips")), AllowedOrigins: words(v.PostFormValue("allowed_origins")),
	}, v.once())
	if err != nil {
		return nil, err
	}
	return v.made(key, "The API key "+key.Name+" was created."), nil
}

func (v *visit) scopesOfForm() (scopes promptrails.Scopes) {
	for _, scope := range v.PostForm["scopes"] {
		scopes = append(scopes, promptrails.Scope(scope))
	}
	return scopes
}

// made shows a new key. This is the only time that the API returns it.
func (v *visit) made(key *promptrails.CreatedAPIKey, message string) *next {
	return &next{v.path("api-keys", key.ID), flash{Message: message + " Copy it now: it is not shown again.", SecretLabel: "API key", Secret: key.Key.Reveal()}}
}

type apiKeyView struct {
	*promptrails.APIKey
	Groups []scopeGroup
	Maker  string // the address of the person who made it, or empty
}

func (c *console) apiKey(v *visit) (err error) {
	view := &apiKeyView{Groups: scopeGroups()}
	if view.APIKey, err = v.client.APIKeys.Get(v.Context(), v.PathValue("id")); err != nil {
		return err
	}
	if view.CreatedByMember != "" && v.MayRead(promptrails.ScopeMembersRead) {
		maker, err := v.client.Members.Get(v.Context(), view.CreatedByMember)
		if optional(err) != nil { // the maker may have left meanwhile
			return err
		}
		if maker != nil {
			view.Maker = maker.Email
		}
	}
	return v.render("api-key", view.Name, view)
}

// Grants reports whether the key names a scope.
func (k *apiKeyView) Grants(scope promptrails.Scope) bool { return slices.Contains(k.Scopes, scope) }

func (k *apiKeyView) IPs() string     { return strings.Join(k.AllowedIPs, "\n") }
func (k *apiKeyView) Origins() string { return strings.Join(k.AllowedOrigins, "\n") }

func (c *console) updateAPIKey(v *visit) (*next, error) {
	ips, origins := words(v.PostFormValue("allowed_ips")), words(v.PostFormValue("allowed_origins"))
	params := &promptrails.UpdateAPIKeyParams{Name: new(v.PostFormValue("name")), Scopes: new(v.scopesOfForm()), AllowedIPs: &ips, AllowedOrigins: &origins}
	if v.PostFormValue("expires_at") != v.PostFormValue("expires_before") { // else it keeps the time of the day
		expires, err := date(v.PostForm, "expires_at")
		if err != nil {
			return nil, err
		}
		params.ExpiresAt = &expires
	}
	key, err := v.client.APIKeys.Update(v.Context(), v.PathValue("id"), params, v.once(), v.version())
	if err != nil {
		return nil, err
	}
	return then(v.path("api-keys", key.ID), "The API key was changed."), nil
}

func (c *console) rotateAPIKey(v *visit) (*next, error) {
	var hours int
	if _, err := fmt.Sscan(v.PostFormValue("overlap_hours"), &hours); err != nil || hours < 0 || hours > 168 {
		return nil, invalid("overlap_hours", "must be 0 to 168 hours")
	}
	key, err := v.client.APIKeys.Rotate(v.Context(), v.PathValue("id"), time.Duration(hours)*time.Hour, v.once())
	if err != nil {
		return nil, err
	}
	return v.made(key, "This key replaces the previous one."), nil
}

func (c *console) revokeAPIKey(v *visit) (*next, error) {
	if err := v.client.APIKeys.Revoke(v.Context(), v.PathValue("id"), v.once()); err != nil {
		return nil, err
	}
	return then(v.path("api-keys", v.PathValue("id")), "The API key was revoked. Requests with it are refused."), nil
}
