package api

import (
	"cmp"
	"net/http"

	"github.com/promptrails-community/promptrails-go/internal/service"
)

// resourceRoutes are the collections of resources, each at its path, and at an
// older one if there is one.
func resourceRoutes() (all []route) {
	for _, k := range service.Kinds() {
		path := "/" + k.Element()
		switch {
		case k.Path == "versions":
			all = append(all, versionRoutes(k, "/"+k.Under+"/{"+k.Parent+"}"+path)...)
			continue
		case k.Under != "":
			all = append(all, itemRoutes(k, path)...)
			path = "/" + k.Under + "/{" + k.Parent + "}" + path
		}
		all = append(all, collectionRoutes(k, path)...)
		if k.Name == "triggers" {
			all = append(all, collectionRoutes(k, "/webhook-triggers")...)
		}
	}
	return all
}

func collectionRoutes(k service.Kind, path string) []route {
	routes := append(itemRoutes(k, path), route{"GET", path, reads(k), listResources(k)})
	if k.ReadOnly {
		return routes
	}
	return append(routes, route{"POST", path, writes(k), createResource(k)})
}

func itemRoutes(k service.Kind, path string) []route {
	path += "/{id}"
	get := route{"GET", path, reads(k), func(c *call) (*service.Answer, error) {
		return c.read(func(x *service.Session) (any, error) {
			if k.Name == "traces" {
				return inEnvelope(x.Trace(c.id()))
			}
			return inEnvelope(x.Resource(c.in(k), c.id()))
		})
	}}
	if k.ReadOnly {
		return []route{get}
	}
	return []route{
		get,
		{"PATCH", path, writes(k), updateResource(k)},
		{"DELETE", path, writes(k), func(c *call) (*service.Answer, error) {
			return c.act(http.StatusNoContent, func(x *service.Session) (any, error) { return nil, x.DeleteResource(c.in(k), c.id()) })
		}},
	}
}

// versionRoutes are those of a kind of versions, which are created and promoted,
// and never changed.
func versionRoutes(k service.Kind, path string) []route {
	promote := func(c *call) (*service.Answer, error) {
		return c.act(http.StatusOK, func(x *service.Session) (any, error) { return inEnvelope(x.Promote(c.in(k), c.id())) })
	}
	return []route{
		{"GET", path, reads(k), listResources(k)},
		{"POST", path, writes(k), createResource(k)},
		{"GET", path + "/{id}", reads(k), func(c *call) (*service.Answer, error) {
			return c.read(func(x *service.Session) (any, error) { return inEnvelope(x.Resource(c.in(k), c.id())) })
		}},
		{"POST", path + "/{id}/promote", writes(k), promote},
		{"PUT", path + "/{id}/promote", writes(k), promote},
	}
}

func reads(k service.Kind) need { return need{Scope: k.Read, Role: user} }

// writes is what writing needs; what a user created is checked inside.
func writes(k service.Kind) need { return need{Scope: k.Write, Role: user} }

func listResources(k service.Kind) handler {
	return func(c *call) (*service.Answer, error) {
		params := &service.ListResourcesQuery{Filter: map[string]string{}}
		c.query(params, k.Filters...)
		for _, name := range k.Filters {
			params.Filter[name] = c.r.URL.Query().Get(name)
		}
		return c.read(func(x *service.Session) (any, error) {
			page, err := x.Resources(c.in(k), params)
			if err == nil && page.WithoutMeta {
				return object{page.Data}, nil
			}
			return page, err
		})
	}
}

func createResource(k service.Kind) handler {
	return func(c *call) (*service.Answer, error) {
		d := c.draft(c.in(k).Draft)
		return c.act(http.StatusCreated, func(x *service.Session) (any, error) { return inEnvelope(x.CreateResource(d)) })
	}
}

func updateResource(k service.Kind) handler {
	return func(c *call) (*service.Answer, error) {
		d := c.draft(c.in(k).Patch)
		c.api.Service.Prepare(c.r.Context(), &c.request, d, c.id())
		return c.act(http.StatusOK, func(x *service.Session) (any, error) { return inEnvelope(x.UpdateResource(c.id(), d)) })
	}
}

// draft makes a draft of the document in the body.
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

// execute answers with the execution of an agent.
func execute(c *call) (*service.Answer, error) {
	body := new(service.ExecuteBody)
	c.noQuery()
	c.fault(decodeBody(c.body, body))
	run, err := service.NewRun(c.id(), body)
	c.fault(err)
	c.api.Service.PrepareRun(c.r.Context(), &c.request, run)
	return c.act(http.StatusCreated, func(x *service.Session) (any, error) { return inEnvelope(x.Execute(run)) })
}

// in is the collection of a kind that the path names.
func (c *call) in(k service.Kind) service.Collection {
	return service.Collection{Kind: k, ParentID: c.r.PathValue(k.Parent)}
}

// parentID is the id in the path of the resource that a collection is under.
func (c *call) parentID() string {
	return cmp.Or(c.r.PathValue("agent_id"), c.r.PathValue("prompt_id"), c.r.PathValue("data_source_id"))
}
