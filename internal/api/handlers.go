package api

import (
	"cmp"
	"errors"
	"net/http"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/service"
)

// handler handles one request of a route.
type handler func(*call) (*service.Response, error)

// input decodes the parameters of a method of Session from a request. It
// returns a function that calls the method in a transaction.
type input func(*call) func(*service.Session) (any, error)

// read handles a request with a method that only reads.
func read(in input) handler {
	return func(c *call) (*service.Response, error) { return c.read(in(c)) }
}

// write handles a request with a method that changes something.
func write(in input) handler {
	return func(c *call) (*service.Response, error) { return c.write(in(c)) }
}

// remove handles a request with a method that removes the object of the path.
func remove(fn func(*service.Session, string) error) handler {
	return write(byID(func(x *service.Session, id string) (any, error) { return nil, fn(x, id) }))
}

// removeBy is remove with parameters in the query.
func removeBy[P any](fn func(*service.Session, string, *P) error) handler {
	return write(byIDAndQuery(func(x *service.Session, id string, params *P) (any, error) { return nil, fn(x, id, params) }))
}

// plain is the input of a method without parameters.
func plain[T any](fn func(*service.Session) (T, error)) input {
	return func(*call) func(*service.Session) (any, error) {
		return func(x *service.Session) (any, error) { return fn(x) }
	}
}

// byID passes the id in the path.
func byID[T any](fn func(*service.Session, string) (T, error)) input {
	return func(c *call) func(*service.Session) (any, error) {
		return func(x *service.Session) (any, error) { return fn(x, c.id()) }
	}
}

// byQuery passes the parameters of the query.
func byQuery[P, T any](fn func(*service.Session, *P) (T, error)) input {
	return byIDAndQuery(func(x *service.Session, _ string, params *P) (T, error) { return fn(x, params) })
}

// byIDAndQuery passes the id in the path and the parameters of the query.
func byIDAndQuery[P, T any](fn func(*service.Session, string, *P) (T, error)) input {
	return func(c *call) func(*service.Session) (any, error) {
		params := new(P)
		c.query(params)
		return func(x *service.Session) (any, error) { return fn(x, c.id(), params) }
	}
}

// byBody passes the body.
func byBody[P, T any](fn func(*service.Session, *P) (T, error)) input {
	return byIDAndBody(func(x *service.Session, _ string, params *P) (T, error) { return fn(x, params) })
}

// byIDAndBody passes the id in the path and the body.
func byIDAndBody[P, T any](fn func(*service.Session, string, *P) (T, error)) input {
	return func(c *call) func(*service.Session) (any, error) {
		params := new(P)
		c.fault(decodeBody(c.body, params))
		return func(x *service.Session) (any, error) { return fn(x, c.id(), params) }
	}
}

// orEmpty returns in with an optional body. An omitted body is an empty object.
func orEmpty(in input) input {
	return func(c *call) func(*service.Session) (any, error) {
		if len(c.body) == 0 {
			c.body = []byte("{}")
		}
		return in(c)
	}
}

// id returns the id in the path. In a path without {id}, it is the id of the
// parent resource.
func (c *call) id() string { return cmp.Or(c.r.PathValue("id"), c.parentID()) }

// read runs fn in a read-only transaction and evaluates the preconditions of a
// GET. If there is no room for the response, it waits without it, and reads again.
func (c *call) read(fn func(*service.Session) (any, error)) (*service.Response, error) {
	c.noQuery()
	for {
		response, missing, err := c.tryRead(fn)
		if err != nil || missing == 0 {
			return response, err
		}
		if err := c.place.wait(c.r, missing); err != nil {
			return nil, err
		}
	}
}

// tryRead is read without waiting. It returns the number of bytes for which there is no
// room, or 0.
func (c *call) tryRead(fn func(*service.Session) (any, error)) (_ *service.Response, missing int, err error) {
	var found any
	err = c.api.Service.Read(c.r.Context(), &c.request, func(x *service.Session) (err error) {
		found, err = fn(x)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	size := service.SizeOf(found)
	if !c.place.fit(2 * size) { // the documents and the body
		return nil, 2 * size, nil
	}
	response, err := newResponse(c.route.status, found)
	if err != nil {
		return nil, 0, err
	}
	if !c.place.resize(len(response.Body)) {
		return nil, len(response.Body), nil
	}
	if c.mutates() {
		return response, 0, nil
	}
	has, err := c.request.Preconditions.NotModified(response.ETag)
	if has {
		return &service.Response{Status: http.StatusNotModified, ETag: response.ETag}, 0, nil
	}
	return response, 0, err
}

// write runs fn in a transaction.
func (c *call) write(fn func(*service.Session) (any, error)) (*service.Response, error) {
	c.noQuery()
	response, err := c.api.Service.Act(c.r.Context(), &c.request, func(x *service.Session) (*service.Response, error) {
		done, err := fn(x)
		if err != nil {
			return nil, err
		}
		if c.route.status == http.StatusNoContent {
			return &service.Response{Status: c.route.status}, nil
		}
		response, err := newResponse(c.route.status, done)
		if err != nil {
			return nil, err
		}
		if !c.place.fit(len(response.Body)) { // before the commit
			return nil, service.Crowded(errCrowded)
		}
		response.Secret = showsSecret(done)
		return response, nil
	})
	if err == nil && !c.place.fit(len(response.Body)) { // only a replay, which can be sent later
		return nil, service.Crowded(errCrowded)
	}
	return response, err
}

var errCrowded = errors.New("Limits.ResponseBytes is used up")

// updateMember passes the id in the path, the query and the body.
func updateMember(c *call) (*service.Response, error) {
	var query service.RevokeQuery
	var params promptrails.UpdateMemberParams
	c.query(&query)
	c.fault(decodeBody(c.body, &params))
	return c.write(func(x *service.Session) (any, error) { return x.UpdateMember(c.id(), &query, &params) })
}

// checkCredential checks the credential before it opens the transaction that
// stores the result, since the check may make network requests.
func checkCredential(c *call) (*service.Response, error) {
	c.noQuery()
	check, err := c.api.Service.CheckCredential(c.r.Context(), &c.request, c.id())
	if err != nil {
		return nil, err
	}
	return c.write(func(x *service.Session) (any, error) { return check, x.KeepCheck(c.id(), check) })
}

// createChannel resolves the host of the URL before it opens the transaction
// that stores the channel.
func createChannel(c *call) (*service.Response, error) {
	var params promptrails.CreateChannelParams
	c.noQuery()
	c.fault(decodeBody(c.body, &params))
	c.fault(c.api.Service.ChannelURLFault(c.r.Context(), &c.request, params.URL))
	return c.write(func(x *service.Session) (any, error) { return x.CreateChannel(&params) })
}

// updateChannel resolves the host of a new URL before it opens the transaction
// that stores the channel.
func updateChannel(c *call) (*service.Response, error) {
	var params service.UpdateChannelBody
	c.noQuery()
	c.fault(decodeBody(c.body, &params))
	if params.URL != nil {
		c.fault(c.api.Service.ChannelURLFault(c.r.Context(), &c.request, *params.URL))
	}
	return c.write(func(x *service.Session) (any, error) { return x.UpdateChannel(c.id(), &params) })
}

// settled issues due invoices before it calls next.
func settled(next handler) handler {
	return func(c *call) (*service.Response, error) {
		if err := c.api.Service.Settle(c.r.Context(), &c.request); err != nil {
			return nil, err
		}
		return next(c)
	}
}

// flushed stores activity before it calls next, if the query filters by the
// time of the last use.
func flushed(next handler) handler {
	return func(c *call) (*service.Response, error) {
		if c.r.URL.Query().Has("unused_since") {
			if err := c.api.Service.FlushActivity(c.r.Context()); err != nil {
				return nil, err
			}
		}
		return next(c)
	}
}
