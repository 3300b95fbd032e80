package api

import (
	"cmp"

	"github.com/promptrails-community/promptrails-go/internal/service"
)

// resourceHandlers returns the handlers of the collections of resources. Some
// collections also have an older path.
func resourceHandlers() map[string]handler {
	all := map[string]handler{}
	for _, k := range service.Kinds() {
		path := "/" + k.Element()
		switch {
		case k.Path == "versions":
			addVersions(all, k, "/"+k.Under+"/{"+k.Parent+"}"+path)
			continue
		case k.Under != "":
			addItem(all, k, path)
			path = "/" + k.Under + "/{" + k.Parent + "}" + path
		}
		addCollection(all, k, path)
		if k.Name == "triggers" {
			addCollection(all, k, "/webhook-triggers")
		}
	}
	return all
}

func addCollection(all map[string]handler, k service.Kind, path string) {
	addItem(all, k, path)
	all["GET "+path] = listResources(k)
	if !k.ReadOnly {
		all["POST "+path] = createResource(k)
	}
}

func addItem(all map[string]handler, k service.Kind, path string) {
	path += "/{id}"
	all["GET "+path] = read(inCollection(k, func(x *service.Session, in service.Collection, id string) (any, error) {
		if k.Name == "traces" {
			return x.Trace(id)
		}
		return x.Resource(in, id)
	}))
	if k.ReadOnly {
		return
	}
	all["PATCH "+path] = updateResource(k)
	all["DELETE "+path] = write(inCollection(k, func(x *service.Session, in service.Collection, id string) (any, error) {
		return nil, x.DeleteResource(in, id)
	}))
}

// addVersions adds the handlers of versions. Versions can be created and
// promoted, but not updated.
func addVersions(all map[string]handler, k service.Kind, path string) {
	promote := write(inCollection(k, func(x *service.Session, in service.Collection, id string) (any, error) { return x.Promote(in, id) }))
	all["GET "+path] = listResources(k)
	all["POST "+path] = createResource(k)
	all["GET "+path+"/{id}"] = read(inCollection(k, func(x *service.Session, in service.Collection, id string) (any, error) { return x.Resource(in, id) }))
	all["POST "+path+"/{id}/promote"] = promote
	all["PUT "+path+"/{id}/promote"] = promote
}

// inCollection passes the collection and the id in the path.
func inCollection(k service.Kind, fn func(*service.Session, service.Collection, string) (any, error)) input {
	return func(c *call) func(*service.Session) (any, error) {
		return func(x *service.Session) (any, error) { return fn(x, c.in(k), c.id()) }
	}
}

func listResources(k service.Kind) handler {
	return func(c *call) (*service.Response, error) {
		params := &service.ListResourcesQuery{Filter: map[string]string{}}
		c.query(params, k.Filters...)
		query := c.r.URL.Query()
		for _, name := range k.Filters {
			params.Filter[name] = query.Get(name)
		}
		return c.read(func(x *service.Session) (any, error) { return x.Resources(c.in(k), params) })
	}
}

func createResource(k service.Kind) handler {
	return func(c *call) (*service.Response, error) {
		d := c.draft(c.in(k).Draft)
		return c.write(func(x *service.Session) (any, error) { return x.CreateResource(d) })
	}
}

func updateResource(k service.Kind) handler {
	return func(c *call) (*service.Response, error) {
		d := c.draft(c.in(k).Patch)
		c.api.Service.Prepare(c.r.Context(), &c.request, d, c.id())
		return c.write(func(x *service.Session) (any, error) { return x.UpdateResource(c.id(), d) })
	}
}

// draft returns the draft of the document in the body.
func (c *call) draft(of func(service.Document) (*service.Draft, error)) *service.Draft {
	c.noQuery()
	var document service.Document
	if err := decodeBody(c.body, &document); err != nil {
		c.fault(err)
		return nil
	}
	d, err := of(document)
	c.fault(err)
	return d
}

// execute handles the execution of an agent.
func execute(c *call) (*service.Response, error) {
	body := new(service.ExecuteBody)
	c.noQuery()
	c.fault(decodeBody(c.body, body))
	run, err := service.NewRun(c.id(), body)
	c.fault(err)
	c.api.Service.PrepareRun(c.r.Context(), &c.request, run)
	return c.write(func(x *service.Session) (any, error) { return x.Execute(run) })
}

// in returns the collection of a kind with the parent's id in the path.
func (c *call) in(k service.Kind) service.Collection {
	return service.Collection{Kind: k, ParentID: c.r.PathValue(k.Parent)}
}

// parentID returns the id of the parent resource in the path.
func (c *call) parentID() string {
	return cmp.Or(c.r.PathValue("agent_id"), c.r.PathValue("prompt_id"), c.r.PathValue("data_source_id"))
}
