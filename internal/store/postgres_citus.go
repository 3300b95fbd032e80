package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// distribution is the column that a table is distributed by. The rows of tables in the
// same group with the same value are on the same node.
type distribution struct{ table, column, group string }

// distributions are in the order of the foreign keys. The rows of a workspace are on
// one node, and each look-up table is distributed by its key. The table settings is
// on all nodes.
var distributions = []distribution{
	{"workspaces", "id", "none"},
	{"counters", "workspace_id", "workspaces"},
	{"members", "workspace_id", "workspaces"},
	{"invitations", "workspace_id", "workspaces"},
	{"api_keys", "workspace_id", "workspaces"},
	{"credentials", "workspace_id", "workspaces"},
	{"changelog", "workspace_id", "workspaces"},
	{"outcomes", "workspace_id", "workspaces"},
	{"resources", "workspace_id", "workspaces"},
	{"resource_references", "workspace_id", "workspaces"},
	{"masked_values", "workspace_id", "workspaces"},
	{"masking_overrides", "workspace_id", "workspaces"},
	{"data_masking", "workspace_id", "workspaces"},
	{"invoices", "workspace_id", "workspaces"},
	{"transactions", "workspace_id", "workspaces"},
	{"usage_crossings", "workspace_id", "workspaces"},
	{"notification_channels", "workspace_id", "workspaces"},
	{"notification_deliveries", "workspace_id", "workspaces"},
	{"users", "id", "none"},
	{"user_workspaces", "user_id", "users"},
	{"user_emails", "email_key", "none"},
	{"workspace_slugs", "slug", "none"},
	{"api_key_hashes", "hash", "none"},
	{"invitation_tokens", "hash", "none"},
	{"access_tokens", "hash", "none"},
}

// citusVersion returns the version of the Citus extension, or "" without it.
func citusVersion(ctx context.Context, conn *pgx.Conn) (version string, err error) {
	err = conn.QueryRow(ctx, "SELECT coalesce((SELECT extversion FROM pg_extension WHERE extname = 'citus'), '')").Scan(&version)
	return version, err
}

// distribute distributes the tables, which are empty, over the nodes, unless they are
// distributed.
func distribute(ctx context.Context, conn *pgx.Conn) error {
	if done, err := isDistributed(ctx, conn); done || err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// Foreign keys to a table on all nodes require it.
		if _, err := tx.Exec(ctx, "SET LOCAL citus.multi_shard_modify_mode TO 'sequential'"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "SELECT create_reference_table('settings')"); err != nil {
			return fmt.Errorf("distribute settings: %w", err)
		}
		for _, d := range distributions {
			_, err := tx.Exec(ctx, "SELECT create_distributed_table($1::text::regclass, $2::text, colocate_with => $3::text)", d.table, d.column, d.group)
			if err != nil {
				return fmt.Errorf("distribute %s: %w", d.table, err)
			}
		}
		return nil
	})
}

// isDistributed reports whether the tables are distributed. It returns an error if
// only some of them are.
func isDistributed(ctx context.Context, conn *pgx.Conn) (bool, error) {
	var found int
	err := conn.QueryRow(ctx, `SELECT count(*) FROM pg_dist_partition p JOIN pg_class c ON c.oid = p.logicalrelid
		WHERE c.relnamespace = current_schema()::regnamespace`).Scan(&found)
	if err != nil {
		return false, err
	}
	if all := len(distributions) + 1; found != 0 && found != all {
		return false, fmt.Errorf("%d of %d tables are distributed over the nodes of Citus: distribute all of them or none", found, all)
	}
	return found > 0, nil
}
