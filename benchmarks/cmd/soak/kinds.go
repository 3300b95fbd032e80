package main

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// kind is a kind of objects, with the changes that the load makes.
type kind struct {
	name string

	creates []change // the entries of the changelog about a creation
	created int      // the version after it
	updates change
	deletes change

	create func(ctx context.Context, r *room, name, value, key string) (id string, err error)
	// update sets the value. It is nil if the load does not update the kind.
	update func(ctx context.Context, c *promptrails.Client, id, value string, opts ...promptrails.RequestOption) error
	delete func(ctx context.Context, c *promptrails.Client, id string, opts ...promptrails.RequestOption) error
	value  func(n int) string // the nth value of an object
	list   func(ctx context.Context, c *promptrails.Client) iter.Seq2[found, error]
}

// change is the resource and the action of an entry.
type change struct {
	resource promptrails.ResourceType
	action   promptrails.ChangelogAction
}

// changes returns the entries of a resource that is created, updated and deleted.
func changes(r promptrails.ResourceType) (created []change, updated, deleted change) {
	return []change{{r, promptrails.ActionCreated}}, change{r, promptrails.ActionUpdated}, change{r, promptrails.ActionDeleted}
}

func newKinds() []*kind {
	return []*kind{credentials(), keys(), resources(promptrails.KindAgents, promptrails.ResourceAgent), channels(), members(), approvals()}
}

func credentials() *kind {
	k := &kind{name: "credential", created: 1, value: number}
	k.creates, k.updates, k.deletes = changes(promptrails.ResourceCredential)
	k.create = func(ctx context.Context, r *room, name, value, key string) (string, error) {
		return idOf(r.client.Credentials.Create(ctx, &promptrails.CreateCredentialParams{
			Name: name, Type: "openai", Description: value, Value: promptrails.NewSecret("sk-value-0123456789"),
		}, promptrails.WithIdempotencyKey(key)))(func(c *promptrails.Credential) string { return c.ID })
	}
	k.update = func(ctx context.Context, c *promptrails.Client, id, value string, opts ...promptrails.RequestOption) error {
		_, err := c.Credentials.Update(ctx, id, &promptrails.UpdateCredentialParams{Description: &value}, opts...)
		return err
	}
	k.delete = func(ctx context.Context, c *promptrails.Client, id string, opts ...promptrails.RequestOption) error {
		return c.Credentials.Delete(ctx, id, nil, opts...)
	}
	k.list = func(ctx context.Context, c *promptrails.Client) iter.Seq2[found, error] {
		return each(c.Credentials.All(ctx, nil), func(c *promptrails.Credential) found {
			return found{c.ID, c.Name, c.Description, c.Version}
		})
	}
	return k
}

// keys are revoked instead of deleted. The value is the allowed origin.
func keys() *kind {
	k := &kind{name: "API key", created: 1}
	k.creates, k.updates, _ = changes(promptrails.ResourceAPIKey)
	k.deletes = k.updates
	k.value = func(n int) string { return fmt.Sprintf("https://n%d.example.com", n) }
	k.create = func(ctx context.Context, r *room, name, value, key string) (string, error) {
		return idOf(r.client.APIKeys.Create(ctx, &promptrails.CreateAPIKeyParams{
			Name: name, Scopes: promptrails.Scopes{promptrails.ScopeAgentsRead}, AllowedOrigins: []string{value},
		}, promptrails.WithIdempotencyKey(key)))(func(c *promptrails.CreatedAPIKey) string { return c.ID })
	}
	k.update = func(ctx context.Context, c *promptrails.Client, id, value string, opts ...promptrails.RequestOption) error {
		_, err := c.APIKeys.Update(ctx, id, &promptrails.UpdateAPIKeyParams{AllowedOrigins: &[]string{value}}, opts...)
		return err
	}
	k.delete = func(ctx context.Context, c *promptrails.Client, id string, opts ...promptrails.RequestOption) error {
		return c.APIKeys.Revoke(ctx, id, opts...)
	}
	k.list = func(ctx context.Context, c *promptrails.Client) iter.Seq2[found, error] {
		return each(c.APIKeys.All(ctx, &promptrails.ListAPIKeysParams{Status: promptrails.APIKeyActive}), func(k *promptrails.APIKey) found {
			return found{k.ID, k.Name, fmt.Sprint(k.AllowedOrigins[0]), k.Version}
		})
	}
	return k
}

// resources are documents with the value in a field of their own.
func resources(r promptrails.ResourceKind, t promptrails.ResourceType) *kind {
	k := &kind{name: string(t), created: 1, value: number}
	k.creates, k.updates, k.deletes = changes(t)
	k.create = func(ctx context.Context, room *room, name, value, key string) (string, error) {
		return idOf(room.client.Resources.Create(ctx, r, map[string]string{"name": name, "note": value},
			promptrails.WithIdempotencyKey(key)))(func(r *promptrails.Resource) string { return r.ID })
	}
	k.update = func(ctx context.Context, c *promptrails.Client, id, value string, opts ...promptrails.RequestOption) error {
		_, err := c.Resources.Update(ctx, r, id, map[string]string{"note": value}, opts...)
		return err
	}
	k.delete = func(ctx context.Context, c *promptrails.Client, id string, opts ...promptrails.RequestOption) error {
		return c.Resources.Delete(ctx, r, id, opts...)
	}
	k.list = func(ctx context.Context, c *promptrails.Client) iter.Seq2[found, error] {
		return each(c.Resources.All(ctx, r, nil), func(r *promptrails.Resource) found {
			var fields struct {
				Note string `json:"note"`
			}
			_ = json.Unmarshal(r.Fields, &fields) // without a note, the value differs
			return found{r.ID, r.Name, fields.Note, r.Version}
		})
	}
	return k
}

// approvals have a notification each, and are deleted after it was received.
func approvals() *kind {
	k := resources(promptrails.KindApprovals, promptrails.ResourceApproval)
	k.update = nil
	return k
}

// channels receive no event. The value is whether the channel is active.
func channels() *kind {
	k := &kind{name: "channel", created: 1}
	k.creates, k.updates, k.deletes = changes(promptrails.ResourceNotificationChannel)
	k.value = func(n int) string { return fmt.Sprint(n%2 == 0) }
	k.create = func(ctx context.Context, r *room, name, value, key string) (string, error) {
		return idOf(r.client.Notifications.CreateChannel(ctx, &promptrails.CreateChannelParams{
			Name: name, Type: promptrails.ChannelWebhook, URL: promptrails.NewSecret(r.hook), Events: []promptrails.EventType{promptrails.EventChannelTest},
			IsActive: new(value == "true"),
		}, promptrails.WithIdempotencyKey(key)))(func(c *promptrails.Channel) string { return c.ID })
	}
	k.update = func(ctx context.Context, c *promptrails.Client, id, value string, opts ...promptrails.RequestOption) error {
		_, err := c.Notifications.UpdateChannel(ctx, id, &promptrails.UpdateChannelParams{IsActive: new(value == "true")}, opts...)
		return err
	}
	k.delete = func(ctx context.Context, c *promptrails.Client, id string, opts ...promptrails.RequestOption) error {
		return c.Notifications.DeleteChannel(ctx, id, opts...)
	}
	k.list = func(ctx context.Context, c *promptrails.Client) iter.Seq2[found, error] {
		return except(mainChannel, each(c.Notifications.AllChannels(ctx, nil), func(c *promptrails.Channel) found {
			return found{c.ID, c.Name, fmt.Sprint(c.IsActive), c.Version}
		}))
	}
	return k
}

// members are invited and accept. The name is the email address, and the value the role.
func members() *kind {
	k := &kind{name: "member", created: 1}
	k.creates, k.updates, k.deletes = changes(promptrails.ResourceMember)
	k.creates = append(k.creates, change{promptrails.ResourceInvitation, promptrails.ActionCreated}, change{promptrails.ResourceInvitation, promptrails.ActionUpdated})
	k.value = func(n int) string {
		return string([]promptrails.Role{promptrails.RoleUser, promptrails.RoleAdmin}[n%2])
	}
	k.create = func(ctx context.Context, r *room, name, value, key string) (string, error) {
		invited, err := r.client.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: name, Role: promptrails.Role(value)},
			promptrails.WithIdempotencyKey(key))
		if err != nil {
			return "", err
		}
		c, err := r.as(name)
		if err != nil {
			return "", err
		}
		m, err := c.Invitations.Accept(ctx, invited.Token, promptrails.WithIdempotencyKey(key+"-accept"))
		if err != nil {
			return "", &partialError{err}
		}
		return m.ID, nil
	}
	k.update = func(ctx context.Context, c *promptrails.Client, id, value string, opts ...promptrails.RequestOption) error {
		_, err := c.Members.UpdateRole(ctx, id, promptrails.Role(value), opts...)
		return err
	}
	k.delete = func(ctx context.Context, c *promptrails.Client, id string, opts ...promptrails.RequestOption) error {
		return c.Members.Remove(ctx, id, nil, opts...)
	}
	k.list = func(ctx context.Context, c *promptrails.Client) iter.Seq2[found, error] {
		return except(owner, each(c.Members.All(ctx, nil), func(m *promptrails.Member) found {
			return found{m.ID, m.Email, string(m.Role), m.Version}
		}))
	}
	return k
}

// partialError is the error of a call after another one of the same change.
type partialError struct{ error }

func (e *partialError) Unwrap() error { return e.error }

func number(n int) string { return fmt.Sprint(n) }

// idOf returns the id of the object that a call has returned.
func idOf[T any](object *T, err error) func(func(*T) string) (string, error) {
	return func(id func(*T) string) (string, error) {
		if err != nil {
			return "", err
		}
		return id(object), nil
	}
}

// each maps a list.
func each[T any](list iter.Seq2[*T, error], of func(*T) found) iter.Seq2[found, error] {
	return func(yield func(found, error) bool) {
		for item, err := range list {
			if err != nil {
				yield(found{}, err)
				return
			}
			if !yield(of(item), nil) {
				return
			}
		}
	}
}

// except omits the object of a name.
func except(name string, list iter.Seq2[found, error]) iter.Seq2[found, error] {
	return func(yield func(found, error) bool) {
		for item, err := range list {
			if (err != nil || item.name != name) && !yield(item, err) {
				return
			}
		}
	}
}
