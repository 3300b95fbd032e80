package main

import (
	promptrails "github.com/promptrails-community/promptrails-go"
)

type credentialsView struct {
	Query      string
	Category   promptrails.CredentialCategory
	Categories []promptrails.CredentialCategory
	Types      []string // suggestions; the set of types is open
	Items      []*promptrails.Credential
	Pager      pager
}

var (
	categories = []promptrails.CredentialCategory{
		promptrails.CategoryLLM, promptrails.CategorySpeech, promptrails.CategoryImage, promptrails.CategoryVideo, promptrails.CategoryDataWarehouse, promptrails.CategoryTools,
	}
	credentialTypes = []string{
		"openai", "anthropic", "gemini", "mistral", "groq", "deepseek", "cohere", "openrouter", "elevenlabs", "deepgram", "fal", "replicate", "stability", "runway",
		"postgresql", "mysql", "snowflake", "bigquery", "redshift", "clickhouse",
	}
)

func (c *console) credentials(v *visit) error {
	query := v.URL.Query()
	view := &credentialsView{Query: query.Get("q"), Category: promptrails.CredentialCategory(query.Get("category")), Categories: categories, Types: credentialTypes}
	list, err := v.client.Credentials.List(v.Context(), &promptrails.ListCredentialsParams{ListOptions: listOptions(v), Query: view.Query, Category: view.Category})
	if err != nil {
		return err
	}
	view.Items, view.Pager = list.Items, pages(v, v.path("credentials"), list)
	return v.render("credentials", "Credentials", view)
}

func (c *console) createCredential(v *visit) (*next, error) {
	credential, err := v.client.Credentials.Create(v.Context(), &promptrails.CreateCredentialParams{
		Name: v.PostFormValue("name"), Type: promptrails.CredentialType(v.PostFormValue("type")), Description: v.PostFormValue("description"),
		Value: v.secret("value"), IsDefault: v.PostFormValue("default") != "",
	}, v.once())
	if err != nil {
		return nil, err
	}
	return then(v.path("credentials", credential.ID), "The credential "+credential.Name+" was stored. Its value is never shown again."), nil
}

type credentialView struct {
	*promptrails.Credential
	Usage []*promptrails.ResourceRef // for admins
}

// credential shows a credential and the resources that refer to it.
func (c *console) credential(v *visit) (err error) {
	view := &credentialView{}
	if view.Credential, err = v.client.Credentials.Get(v.Context(), v.PathValue("id")); err != nil {
		return err
	}
	if v.May(promptrails.ScopeCredentialsRead) {
		if view.Usage, err = v.client.Credentials.Usage(v.Context(), view.ID); err != nil {
			return err
		}
	}
	return v.render("credential", view.Name, view)
}

func (c *console) updateCredential(v *visit) (*next, error) {
	params := &promptrails.UpdateCredentialParams{Name: new(v.PostFormValue("name")), Description: new(v.PostFormValue("description"))}
	message := "The credential was changed."
	if value := v.secret("value"); !value.IsZero() {
		params.Value, message = &value, "The credential was changed, and its value replaced."
	}
	credential, err := v.client.Credentials.Update(v.Context(), v.PathValue("id"), params, v.once(), v.version())
	if err != nil {
		return nil, err
	}
	return then(v.path("credentials", credential.ID), message), nil
}

func (c *console) setDefaultCredential(v *visit) (*next, error) {
	credential, err := v.client.Credentials.SetDefault(v.Context(), v.PathValue("id"), v.once())
	if err != nil {
		return nil, err
	}
	return then(v.path("credentials", credential.ID), "It is now the default of the type "+string(credential.Type)+"."), nil
}

func (c *console) checkCredential(v *visit) (*next, error) {
	check, err := v.client.Credentials.CheckConnection(v.Context(), v.PathValue("id"), v.once())
	if err != nil {
		return nil, err
	}
	message := "The check has no result: "
	switch {
	case check.IsValid == nil:
	case *check.IsValid:
		message = "The credential works. "
	default:
		message = "The credential is not valid: "
	}
	return then(v.path("credentials", v.PathValue("id")), message+check.Reason), nil
}

func (c *console) deleteCredential(v *visit) (*next, error) {
	params := &promptrails.DeleteCredentialParams{Force: v.PostFormValue("force") != ""}
	if err := v.client.Credentials.Delete(v.Context(), v.PathValue("id"), params, v.once()); err != nil {
		return nil, err
	}
	return then(v.path("credentials"), "The credential was deleted."), nil
}
