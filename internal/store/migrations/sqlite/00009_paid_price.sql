-- +goose Up

-- The highest price, in US cents a month, that is paid for the period up to invoiced_until.
ALTER TABLE workspaces ADD COLUMN paid_price INTEGER NOT NULL DEFAULT 0;
UPDATE workspaces SET paid_price = CASE plan WHEN 'starter' THEN 4900 WHEN 'pro' THEN 19900 WHEN 'enterprise' THEN 69900 ELSE 0 END
WHERE invoiced_until > 0;
