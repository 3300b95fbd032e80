package api

import (
	"net/http"

	"github.com/promptrails-community/promptrails-go/internal/service"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// resourceRoutes are the collections of resources, each at its path, and at an
// older one where there is one.
func resourceRoutes() (all []route) {
	for _, k := range service.Kinds() {
		path := "/" + k.Name
		if k.Nested {
			path = "/agents/{agent_id}/" + k.Name
		}
		all = append(all, collectionRoutes(k, path)...)
		if k.Nested {
			all = append(all, itemRoutes(k, "/"+k.Name)...)
		}
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
		return c.read(func(x *service.Session) (any, error) { return inEnvelope(x.Resource(c.in(k), c.id())) })
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

func reads(k service.Kind) need { return need{Scope: k.Read, Role: user} }

// writes is what writing needs; what a user created is checked inside.
func writes(k service.Kind) need { return need{Scope: k.Write, Role: user} }

func listResources(k service.Kind) handler {
	return func(c *call) (*service.Answer, error) {
		params := new(promptrails.ListResourcesParams)
		c.query(params)
		return c.read(func(x *service.Session) (any, error) { return x.Resources(c.in(k), params) })
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

// in is the collection of a kind that the path names.
func (c *call) in(k service.Kind) service.Collection {
	return service.Collection{Kind: k, Parent: c.agentID()}
}

func (c *call) agentID() string { return c.r.PathValue("agent_id") }
