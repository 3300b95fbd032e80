package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"modernc.org/sqlite"
)

// maxStatements is the maximum number of idle prepared statements of a connection.
// Most texts are constant. The filters of lists add others.
const maxStatements = 256

// statements is a connector whose connections cache prepared statements. Preparing a
// short statement takes SQLite about as long as running it.
type statements struct{ driver.Connector }

// openDB opens a database whose connections cache prepared statements.
func openDB(dsn string) *sql.DB {
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		panic(err) // the DSN is built by this package
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

// sqliteConn has the methods of the driver's connection that database/sql uses. Without
// those of queries, database/sql prepares every statement.
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

// preparedConn is a connection with its idle prepared statements.
type preparedConn struct {
	sqliteConn

	idle map[string]*preparedStmt
}

// preparedStmt is returned to its connection when database/sql closes it.
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
	if s.conn.idle[s.text] != nil { // two were in use
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
