package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"modernc.org/sqlite"
)

// maxStatements is the number of prepared statements of a connection. Most texts
// are constant; the filters of lists make the others.
const maxStatements = 256

// statements opens connections that keep their prepared statements: SQLite takes
// about as long to prepare a short statement as to run it.
type statements struct{ driver.Connector }

// openDB returns a database whose connections keep their prepared statements.
func openDB(dsn string) *sql.DB {
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		panic(err) // the service's own text
	}
	return sql.OpenDB(statements{connector})
}

// Connect implements [driver.Connector].
func (s statements) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := s.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	whole, ok := c.(sqliteConn)
	if !ok {
		return nil, fmt.Errorf("store: the driver's connection is a %T", c)
	}
	return &preparedConn{sqliteConn: whole, idle: map[string]*preparedStmt{}}, nil
}

// sqliteConn is what database/sql uses of the driver's connection, except for
// queries without a prepared statement.
type sqliteConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.SessionResetter
	driver.Validator
	driver.Pinger
}

type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// preparedConn is a connection with prepared statements that are not in use.
type preparedConn struct {
	sqliteConn

	idle map[string]*preparedStmt
}

// preparedStmt goes back to its connection when database/sql closes it.
type preparedStmt struct {
	sqliteStmt

	conn *preparedConn
	text string
}

// PrepareContext implements [driver.ConnPrepareContext].
func (c *preparedConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	if s := c.idle[text]; s != nil {
		delete(c.idle, text)
		return s, nil
	}
	made, err := c.sqliteConn.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	whole, ok := made.(sqliteStmt)
	if !ok {
		return nil, errors.Join(fmt.Errorf("store: the driver's statement is a %T", made), made.Close())
	}
	return &preparedStmt{sqliteStmt: whole, conn: c, text: text}, nil
}

// Close implements [driver.Stmt].
func (s *preparedStmt) Close() error {
	if s.conn.idle[s.text] != nil { // it was in use twice
		return s.sqliteStmt.Close()
	}
	var err error
	if len(s.conn.idle) >= maxStatements {
		err = s.conn.closeIdle()
	}
	s.conn.idle[s.text] = s
	return err
}

func (c *preparedConn) closeIdle() (err error) {
	for text, s := range c.idle {
		err = errors.Join(err, s.sqliteStmt.Close())
		delete(c.idle, text)
	}
	return err
}

// Close implements [driver.Conn].
func (c *preparedConn) Close() error { return errors.Join(c.closeIdle(), c.sqliteConn.Close()) }
