package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// A fence is row-level security. It hides the rows of other workspaces than that of
// the setting promptrails.workspace from a statement without its condition. If the
// setting is empty, all rows are visible, which the statements of [Global] need.

// fencedTables returns the tables with a fence and their columns of the workspace.
func fencedTables() (tables []distribution) {
	for _, d := range distributions {
		if d.table == "workspaces" || d.group == "workspaces" && d.table != "outcomes" {
			tables = append(tables, d)
		}
	}
	return tables
}

// raiseFence enables row-level security, also for the owner of the tables, unless it is
// enabled.
func raiseFence(ctx context.Context, conn *pgx.Conn) error {
	if raised, err := countFences(ctx, conn); raised > 0 || err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, t := range fencedTables() {
			_, err := tx.Exec(ctx, fmt.Sprintf(`ALTER TABLE %[1]s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
				CREATE POLICY workspace ON %[1]s USING (coalesce(current_setting('promptrails.workspace', true), '') IN ('', %[2]s))`, t.table, t.column))
			if err != nil {
				return fmt.Errorf("enable row-level security of %s: %w", t.table, err)
			}
		}
		return nil
	})
}

// hasFence reports whether row-level security applies to the connection, and describes
// the reason.
func hasFence(ctx context.Context, conn *pgx.Conn) (fence bool, why string, err error) {
	var bypasses bool
	raised, err := countFences(ctx, conn)
	if err != nil {
		return false, "", err
	}
	err = conn.QueryRow(ctx, "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user").Scan(&bypasses)
	switch {
	case err != nil:
		return false, "", err
	case bypasses:
		return false, ", without row-level security, because the user is a superuser or has BYPASSRLS", nil
	case raised < len(fencedTables()):
		return false, ", without row-level security, because it was disabled", nil
	default:
		return true, ", with row-level security", nil
	}
}

// countFences returns the number of tables with a fence.
func countFences(ctx context.Context, conn *pgx.Conn) (n int, err error) {
	err = conn.QueryRow(ctx, `SELECT count(*) FROM pg_policies p JOIN pg_class c ON c.relname = p.tablename AND c.relnamespace = current_schema()::regnamespace
		WHERE p.schemaname = current_schema() AND p.policyname = 'workspace' AND c.relforcerowsecurity`).Scan(&n)
	return n, err
}
