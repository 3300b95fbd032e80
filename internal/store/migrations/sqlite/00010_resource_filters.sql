-- +goose Up

-- The members of a document that its kind's lists can be filtered by: NULL if the
-- kind has no such filter, or the document no such text. A status has a column
-- already.
ALTER TABLE resources ADD COLUMN member_name TEXT;
ALTER TABLE resources ADD COLUMN member_type TEXT;
ALTER TABLE resources ADD COLUMN member_kind TEXT;
ALTER TABLE resources ADD COLUMN member_agent_id TEXT;
ALTER TABLE resources ADD COLUMN member_session_id TEXT;
ALTER TABLE resources ADD COLUMN member_execution_id TEXT;
ALTER TABLE resources ADD COLUMN member_trace_id TEXT;
ALTER TABLE resources ADD COLUMN member_source TEXT;
ALTER TABLE resources ADD COLUMN member_data_type TEXT;
ALTER TABLE resources ADD COLUMN member_config_id TEXT;

UPDATE resources SET member_name = document ->> '$.name' WHERE kind IN ('agents', 'scores') AND json_type(document, '$.name') = 'text';
UPDATE resources SET member_type = document ->> '$.type' WHERE kind = 'agents' AND json_type(document, '$.type') = 'text';
UPDATE resources SET member_agent_id = document ->> '$.agent_id' WHERE kind IN ('executions', 'traces', 'triggers') AND json_type(document, '$.agent_id') = 'text';
UPDATE resources SET member_session_id = document ->> '$.session_id' WHERE kind IN ('executions', 'traces') AND json_type(document, '$.session_id') = 'text';
UPDATE resources SET member_kind = document ->> '$.kind' WHERE kind = 'traces' AND json_type(document, '$.kind') = 'text';
UPDATE resources SET member_execution_id = document ->> '$.execution_id' WHERE kind = 'scores' AND json_type(document, '$.execution_id') = 'text';
UPDATE resources SET member_trace_id = document ->> '$.trace_id' WHERE kind = 'scores' AND json_type(document, '$.trace_id') = 'text';
UPDATE resources SET member_source = document ->> '$.source' WHERE kind = 'scores' AND json_type(document, '$.source') = 'text';
UPDATE resources SET member_data_type = document ->> '$.data_type' WHERE kind = 'scores' AND json_type(document, '$.data_type') = 'text';
UPDATE resources SET member_config_id = document ->> '$.config_id' WHERE kind = 'scores' AND json_type(document, '$.config_id') = 'text';
-- Until now a trace was named by its own id.
UPDATE resources SET member_trace_id = id WHERE kind = 'traces';

INSERT INTO counters (workspace_id, kind, n)
SELECT workspace_id, 'traces/sessions', count(DISTINCT member_session_id) FROM resources WHERE kind = 'traces' AND member_session_id <> '' GROUP BY workspace_id;

CREATE INDEX resources_name ON resources (workspace_id, kind, member_name, created_at, id) WHERE member_name IS NOT NULL;
CREATE INDEX resources_type ON resources (workspace_id, kind, member_type, created_at, id) WHERE member_type IS NOT NULL;
CREATE INDEX resources_kind ON resources (workspace_id, kind, member_kind, created_at, id) WHERE member_kind IS NOT NULL;
CREATE INDEX resources_agent ON resources (workspace_id, kind, member_agent_id, created_at, id) WHERE member_agent_id IS NOT NULL;
CREATE INDEX resources_session ON resources (workspace_id, kind, member_session_id, created_at, id) WHERE member_session_id IS NOT NULL;
CREATE INDEX resources_execution ON resources (workspace_id, kind, member_execution_id, created_at, id) WHERE member_execution_id IS NOT NULL;
CREATE INDEX resources_trace ON resources (workspace_id, kind, member_trace_id, created_at, id) WHERE member_trace_id IS NOT NULL;
CREATE INDEX resources_source ON resources (workspace_id, kind, member_source, created_at, id) WHERE member_source IS NOT NULL;
CREATE INDEX resources_data_type ON resources (workspace_id, kind, member_data_type, created_at, id) WHERE member_data_type IS NOT NULL;
CREATE INDEX resources_config ON resources (workspace_id, kind, member_config_id, created_at, id) WHERE member_config_id IS NOT NULL;

-- How many values of each detector a trace had masked.
CREATE TABLE masked_values (
    workspace_id TEXT NOT NULL,
    trace_id     TEXT NOT NULL,    -- the resource's id
    detector     TEXT NOT NULL,
    agent_id     TEXT NOT NULL,
    created_at   INTEGER NOT NULL, -- the trace's
    n            INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, trace_id, detector),
    FOREIGN KEY (workspace_id, trace_id) REFERENCES resources (workspace_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX masked_values_created ON masked_values (workspace_id, created_at);
CREATE INDEX masked_values_agent ON masked_values (workspace_id, agent_id, created_at);
