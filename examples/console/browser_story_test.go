package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/promptrails-community/promptrails-go/internal/browsertest"
	"github.com/promptrails-community/promptrails-go/internal/processtest"
)

// story is the program, and a person in a browser who has logged in with the link that it
// prints.
type story struct {
	*browsertest.Page
	process *processtest.Process
	url     string
	root    string // the path of the workspace that the person has created
}

func begin(t *testing.T, scripts bool) *story {
	t.Helper()
	s := &story{process: processtest.Start(t, t.TempDir(), nil, "-addr", "127.0.0.1:0")}
	_, s.url, _ = strings.Cut(s.process.Until(t, "The console is at"), "at ")
	s.Page = browsertest.New(t)
	if !scripts {
		s.DisableScripts()
	}
	_, link, _ := strings.Cut(s.process.Until(t, "Log in with this link"), "one time: ")
	s.Open(link)
	s.Follow("Ada Okafor")
	s.Shows("Halden Robotics", "Halden Labs", "Ada's Sandbox")
	return s
}

// goTo follows a link of the navigation of the workspace.
func (s *story) goTo(screen string) { s.Follow(screen) }

// become makes the person another one of the sample data.
func (s *story) become(name string) {
	s.Open(s.url + "/people")
	s.Follow(name)
}

// secret returns the secret that the page shows one time.
func (s *story) secret() string {
	return browsertest.Eval[string](s.Page, `document.getElementById("secret").value`)
}

// The story of examples/quickstart, by clicking.
func TestStoryInBrowser(t *testing.T) {
	t.Parallel()
	s := begin(t, true)
	s.AllowClipboard()

	s.Follow("Create workspace")
	s.Fill("Name", "Research")
	s.Fill("Slug", "halden-labs")
	s.Await("✗ Your workspace Halden Labs has this slug.")
	s.Fill("Slug", "Research!")
	s.Await("✗ Use 1 to 63 lowercase letters")
	s.Fill("Slug", "research")
	s.Await("✓ The form is valid")
	s.Follow("Create workspace")
	s.Shows("The workspace Research was created.")
	s.root = s.Path()

	s.goTo("Billing")
	s.Click("Change to Pro")
	s.Follow("Change to Pro for USD 199.00")
	s.Shows("The plan is now pro", "INV-000001")
	s.Follow("INV-000001")
	s.Shows("Invoice INV-000001", "Total")

	s.goTo("Members")
	s.Fill("Email address", "noor@example.com")
	s.Follow("Invite")
	s.Shows("Send this token to noor@example.com")
	token := s.secret()
	s.Click("Copy")
	s.Await("Copied")
	s.copied(t, token)

	s.become("Noor Haddad")
	s.Fill("Invitation token", token)
	s.Follow("Join")
	s.Shows("You joined the workspace with the role user.")
	s.goTo("Members")
	s.Shows("Noor Haddad", "API Keys for admins")
	s.Hides("Invite a member")

	s.become("Ada Okafor")
	s.Open(s.url + s.root + "/members")
	s.Choose("Role of noor@example.com", "Admin")
	s.Follow("Save the role of noor@example.com")
	s.Shows("noor@example.com now has the role admin.")

	s.goTo("Credentials")
	s.Click("Add a credential")
	s.Fill("Name", "Production")
	s.Fill("Type", "openai")
	s.Fill("Value", "sk-proj-quickstart-0123456789")
	s.Follow("Add credential")
	s.Shows("The credential Production was stored.", "No agent or data source refers to it.")
	s.Hides("sk-proj-quickstart-0123456789")

	s.goTo("API Keys")
	s.Click("Create an API key")
	s.Fill("Name", "Dashboard")
	s.Check("credentials:read read")
	s.Follow("Create API key")
	s.Shows("Copy it now: it is not shown again.")
	key := s.secret()
	s.Click("Copy")
	s.Await("Copied")
	s.copied(t, key)
	s.Open(s.url + s.Path())
	s.Hides("Copy it now", "Copied")

	program := s.Another() // the key can read credentials only
	program.Open(s.url + "/login")
	program.Fill("Access token or API key", key)
	program.Follow("Log in")
	program.Follow("Workspace of the API key")
	program.Follow("Credentials")
	program.Shows("Production")
	program.Hides("Add a credential")
	program.Shows("Members needs the scope members:read")

	received := make(chan string, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { received <- r.Header.Get("webhook-signature") }))
	t.Cleanup(receiver.Close)
	s.goTo("Notifications")
	s.Click("Add a channel")
	s.Fill("Name", "Operations")
	s.Fill("URL", receiver.URL+"/hooks")
	s.Follow("Add channel")
	s.Shows("The channel Operations was created.", "Signing secret")
	s.Follow("Send a test")
	if signature := <-received; !strings.HasPrefix(signature, "v1,") {
		t.Errorf("signature of the test: got %q, want v1,…", signature)
	}
	for browsertest.Eval[int](s.Page, `[...document.querySelectorAll("td .tag")].filter(tag => tag.textContent === "delivered").length`) == 0 {
		s.Open(s.url + s.Path()) // until the response is stored
	}

	s.goTo("Data Masking")
	s.Check("Mask what model providers receive")
	s.Follow("Save")
	s.Shows("The settings were saved.")
	s.Fill("Text", "Mail grace@example.com, or pay with 4111 1111 1111 1111.")
	s.Await("2 values masked: email address, credit card.")
	if got := browsertest.Eval[string](s.Page, `document.querySelector("#preview pre").textContent`); strings.Contains(got, "grace@") || strings.Contains(got, "4111") {
		t.Errorf("preview: got %q, want no personal data", got)
	}

	s.goTo("Changelog")
	s.Follow("Verify")
	s.Shows("✓ verified", "were verified on", "noor@example.com")
	s.Hides("sk-proj-quickstart-0123456789", key)

	s.goTo("Settings")
	s.Fill("Slug of the workspace", "research")
	s.Follow("Delete the workspace")
	s.Shows("The workspace Research was deleted.")
	s.Click("Logged in as Ada Okafor")
	s.Follow("Log out")
	s.Open(s.url + "/workspaces")
	s.Shows("Access token or API key")
}

// copied fails the test unless the clipboard has a text.
func (s *story) copied(t *testing.T, want string) {
	t.Helper()
	if got := browsertest.Eval[string](s.Page, `navigator.clipboard.readText()`); got != want {
		t.Errorf("clipboard: got %q, want %q", got, want)
	}
}

// Each change can also be made without JavaScript.
func TestStoryWithoutScripts(t *testing.T) {
	t.Parallel()
	s := begin(t, false)
	if got := browsertest.Eval[bool](s.Page, `navigator.clipboard === undefined`); got {
		t.Fatal("clipboard: got none, want one that the page does not use")
	}

	s.Follow("Create workspace")
	s.Fill("Name", "Research")
	s.Fill("Slug", "halden-labs")
	s.Follow("Check the slug")
	s.Shows("✗ Your workspace Halden Labs has this slug.")
	s.Fill("Slug", "research")
	s.Follow("Check the slug")
	s.Shows("✓ The form is valid")
	s.Follow("Create workspace")
	s.Shows("The workspace Research was created.")
	s.root = s.Path()

	s.goTo("Billing")
	s.Click("Change to Pro")
	s.Follow("Change to Pro for USD 199.00")
	s.Shows("The plan is now pro")

	s.goTo("Members")
	s.Fill("Email address", "noor@example.com")
	s.Choose("Role", "Admin")
	s.Follow("Invite")
	token := s.secret()
	s.Hides("Copy")
	s.Click("Logged in as Ada Okafor")
	s.Follow("Be someone else")
	s.Follow("Noor Haddad")
	s.Fill("Invitation token", token)
	s.Follow("Join")
	s.Shows("You joined the workspace with the role admin.")

	s.goTo("Credentials")
	s.Click("Add a credential")
	s.Fill("Name", "Production")
	s.Fill("Type", "openai")
	s.Fill("Value", "sk-proj-quickstart-0123456789")
	s.Follow("Add credential")
	s.Follow("Check")
	s.Shows("The check has no result")
	s.Click("Delete")
	s.Follow("Delete Production")
	s.Shows("The credential was deleted.")

	s.goTo("API Keys")
	s.Click("Create an API key")
	s.Fill("Name", "Dashboard")
	s.Check("credentials:read read")
	s.Follow("Create API key")
	if key := s.secret(); !strings.HasPrefix(key, "pr_") {
		t.Errorf("key: got %q, want pr_…", key)
	}
	s.Click("Revoke")
	s.Follow("Revoke Dashboard")
	s.Shows("The API key was revoked.")

	s.goTo("Data Masking")
	s.Fill("Text", "Mail grace@example.com")
	s.Follow("Show the masked text")
	s.Shows("masking is off")

	s.goTo("Changelog")
	s.Follow("Verify")
	s.Shows("✓ verified")
}
