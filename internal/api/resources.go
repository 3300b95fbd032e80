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
	return append(routes, route{"POST", path, writes(k), withDocument(http.StatusCreated, func(x *service.Session, c *call, d *service.Document) (*service.Resource, error) {
		return x.CreateResource(c.in(k), d)
	})})
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
		{"PATCH", path, writes(k), withDocument(http.StatusOK, func(x *service.Session, c *call, d *service.Document) (*service.Resource, error) {
			return x.UpdateResource(c.in(k), c.id(), d)
		})},
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

// withDocument answers with what became of the document in the body.
func withDocument(status int, fn func(*service.Session, *call, *service.Document) (*service.Resource, error)) handler {
	return func(c *call) (*service.Answer, error) {
		d := new(service.Document)
		c.fault(decodeBody(c.body, d))
		return c.act(status, func(x *service.Session) (any, error) { return inEnvelope(fn(x, c, d)) })
	}
}

// in is the collection of a kind that the path names.
func (c *call) in(k service.Kind) service.Collection {
	return service.Collection{Kind: k, Parent: c.agentID()}
}

func (c *call) agentID() string { return c.r.PathValue("agent_id") }
