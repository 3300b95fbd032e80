package main

import "fmt"

// operation is a request that a server can be sent.
type operation string

// The operations.
const (
	get       operation = "GET credential"
	list      operation = "list of 20 credentials"
	changelog operation = "changelog page of 20"
	post      operation = "POST credential"
	execute   operation = "execute agent"
)

// side is a number of connections that repeat an operation.
type side struct {
	op          operation
	connections int
}

// load is the sides that run at the same time.
type load []side

// connections is the number of connections of a load that does not vary it.
const connections = 16

// loads are the loads of each database.
var loads = []load{
	{{get, connections}},
	{{list, connections}},
	{{changelog, connections}},
	{{post, 1}},
	{{post, connections}},
	{{post, 64}},
	{{get, 28}, {post, 4}},
	{{get, 16}, {post, 16}},
	{{execute, connections}},
}

// fits reports whether a target has the operations of a load.
func (l load) fits(t *target) bool {
	for _, s := range l {
		if _, ok := t.Requests[s.op]; !ok {
			return false
		}
	}
	return true
}

// name returns the name of a side in the tables.
func (l load) name(i int) string {
	name := fmt.Sprintf("%s, %d connections", l[i].op, l[i].connections)
	if l[i].connections == 1 {
		name = fmt.Sprintf("%s, 1 connection", l[i].op)
	}
	for j, other := range l {
		if j != i {
			name += fmt.Sprintf(", with %d of %s", other.connections, other.op)
		}
	}
	return name
}

// single returns the name of a load with one side.
func single(op operation, connections int) string { return load{{op, connections}}.name(0) }
