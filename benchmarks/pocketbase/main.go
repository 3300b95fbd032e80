// Command pocketbase serves a collection of PocketBase on the loopback, for a
// comparison by the command measure. Its argument is the folder for the data.
//
// It prints its address, the header with a token, and its requests as one line of
// JSON. Then it prints its CPU time in nanoseconds for each line that it reads, and
// exits at the end of its input. It requires a Unix system.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"syscall"

	"github.com/pocketbase/pocketbase/apis"
	"github.com/pocketbase/pocketbase/core"
	_ "github.com/pocketbase/pocketbase/migrations" // the system collections
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("pocketbase: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: pocketbase FOLDER")
	}
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(dir string) error {
	app := core.NewBaseApp(core.BaseAppConfig{DataDir: dir})
	if err := app.Bootstrap(); err != nil {
		return err
	}
	if err := app.RunAllMigrations(); err != nil {
		return err
	}
	app.Settings().Logs.MaxDays = 0 // the other service has no log
	if err := app.Save(app.Settings()); err != nil {
		return err
	}
	t, err := furnish(app)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return err
	}
	t.Address = listener.Addr().String()
	app.OnServe().BindFunc(func(e *core.ServeEvent) error {
		e.Listener, e.InstallerFunc = listener, nil
		return e.Next()
	})
	served := make(chan error, 1)
	go func() { served <- apis.Serve(app, apis.ServeConfig{HttpAddr: t.Address}) }()
	reported := make(chan error, 1)
	go func() { reported <- t.report() }()
	select {
	case err := <-served:
		return err
	case err := <-reported:
		return err // the data is temporary
	}
}

// target is the form that measure reads.
type target struct {
	Address  string             `json:"address"`
	Header   string             `json:"header"`
	Requests map[string]request `json:"requests"`
}

type request struct {
	Path string `json:"path"`
	Body string `json:"body,omitempty"`
}

// credential is a record with the fields of a credential of the other service.
type credential struct {
	Workspace     string `json:"workspace_id"`
	Name          string `json:"name"`
	Type          string `json:"type"`
	Category      string `json:"category"`
	Description   string `json:"description"`
	Value         string `json:"value"`
	MaskedContent string `json:"masked_content"`
	SchemaType    string `json:"schema_type"`
	IsDefault     bool   `json:"is_default"`
	Version       int    `json:"version"`
}

// furnish creates a collection of 100 records and a user that may read and write it.
func furnish(app core.App) (*target, error) {
	collection, err := createCollection(app)
	if err != nil {
		return nil, err
	}
	users, err := app.FindCollectionByNameOrId("users")
	if err != nil {
		return nil, err
	}
	user := core.NewRecord(users)
	user.SetEmail("ada@example.com")
	user.SetRandomPassword()
	user.SetVerified(true)
	if err := app.Save(user); err != nil {
		return nil, err
	}
	token, err := user.NewAuthToken()
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(&credential{
		Workspace: "research", Name: "c", Type: "openai", Category: "llm", Value: "sk-value-0123456789", MaskedContent: "sk-v...6789", Version: 1,
	})
	if err != nil {
		return nil, err
	}
	var id string
	for range 100 {
		record := core.NewRecord(collection)
		if err := json.Unmarshal(body, record); err != nil {
			return nil, err
		}
		if err := app.Save(record); err != nil {
			return nil, err
		}
		id = record.Id
	}
	records := "/api/collections/" + collection.Name + "/records"
	return &target{
		Header: "Authorization: " + token,
		Requests: map[string]request{
			"GET credential":         {Path: records + "/" + id},
			"list of 20 credentials": {Path: records + "?perPage=20&sort=-created,-id"},
			"POST credential":        {Path: records, Body: string(body)},
		},
	}, nil
}

// createCollection creates a collection that users with a token may read and write.
func createCollection(app core.App) (*core.Collection, error) {
	collection := core.NewBaseCollection("credentials")
	user := new("@request.auth.id != ''")
	collection.ListRule, collection.ViewRule, collection.CreateRule = user, user, user
	for _, name := range []string{"workspace_id", "name", "type", "category", "description", "masked_content", "schema_type"} {
		collection.Fields.Add(&core.TextField{Name: name, Max: 1000})
	}
	collection.Fields.Add(
		&core.TextField{Name: "value", Hidden: true},
		&core.BoolField{Name: "is_default"},
		&core.NumberField{Name: "version", OnlyInt: true},
		&core.AutodateField{Name: "created", OnCreate: true},
		&core.AutodateField{Name: "updated", OnCreate: true, OnUpdate: true},
	)
	collection.AddIndex("credentials_created", false, "created, id", "")
	return collection, app.Save(collection)
}

// report prints t and then CPU times until the end of the input.
func (t *target) report() error {
	if err := json.NewEncoder(os.Stdout).Encode(t); err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			return err
		}
		if _, err := fmt.Println(u.Utime.Nano() + u.Stime.Nano()); err != nil {
			return err
		}
	}
	return lines.Err()
}
