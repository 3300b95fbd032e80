-- The statements of one POST of a credential by API key, without an idempotency key.
BEGIN ISOLATION LEVEL READ COMMITTED;
SELECT set_config('promptrails.workspace', :workspace, true);
SELECT 1 FROM workspaces WHERE id = :workspace FOR UPDATE;
SELECT k.id, k.workspace_id, k.name, k.prefix, k.last4, k.scopes, k.allowed_ips, k.allowed_origins, k.expires_at, k.last_used_at, k.last_used_ip, k.rotated_to, k.overlap_ends_at, k.created_by, k.version, k.created_at, k.revoked_at, coalesce((SELECT m.id FROM members m WHERE m.workspace_id = k.workspace_id AND m.user_id = k.created_by), '') FROM api_keys k WHERE k.workspace_id = :workspace AND k.id = (SELECT h.key_id FROM api_key_hashes h WHERE h.hash = :hash) AND k.key_hash = :hash;
INSERT INTO credentials (workspace_id, id, name, type, category, description, masked_content, is_default, schema_type, is_valid, version, created_at, updated_at, search, value) VALUES (:workspace, gen_random_uuid()::text, 'c', 'openai', 'llm', '', 'sk-v...6789', '0', '', NULL, 1, 1790000000000000, 1790000000000000, 'c', '\x0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef');
INSERT INTO counters (workspace_id, kind, n) VALUES (:workspace, 'credentials', 1) ON CONFLICT (workspace_id, kind) DO UPDATE SET n = counters.n + excluded.n;
SELECT changelog_sequence + 1 AS sequence FROM workspaces WHERE id = :workspace \gset
INSERT INTO changelog (workspace_id, sequence, id, occurred_at, action, resource_type, resource_id, actor_type, actor_id, document) VALUES (:workspace, :sequence, gen_random_uuid()::text, 1790000000000000, 'created', 'credential', gen_random_uuid()::text, 'api_key', 'k', repeat('x', 700));
UPDATE workspaces SET changelog_sequence = :sequence WHERE id = :workspace;
COMMIT;
