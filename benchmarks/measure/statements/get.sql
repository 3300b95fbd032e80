-- The statements of one GET of a credential by API key.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT set_config('promptrails.workspace', :workspace, true);
SELECT k.id, k.workspace_id, k.name, k.prefix, k.last4, k.scopes, k.allowed_ips, k.allowed_origins, k.expires_at, k.last_used_at, k.last_used_ip, k.rotated_to, k.overlap_ends_at, k.created_by, k.version, k.created_at, k.revoked_at, coalesce((SELECT m.id FROM members m WHERE m.workspace_id = k.workspace_id AND m.user_id = k.created_by), '') FROM api_keys k WHERE k.workspace_id = :workspace AND k.id = (SELECT h.key_id FROM api_key_hashes h WHERE h.hash = :hash) AND k.key_hash = :hash;
SELECT c.id, c.workspace_id, c.name, c.type, c.category, c.description, c.masked_content, c.is_default, c.schema_type, c.is_valid, c.version, c.created_at, c.updated_at FROM credentials c WHERE c.workspace_id = :workspace AND c.id = :credential;
ROLLBACK;
