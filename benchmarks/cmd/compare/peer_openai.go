package main

import (
	"context"
	"net/http"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/promptrails-community/promptrails-go/benchmarks/internal/documents"
)

// batch has some fields of a batch of OpenAI.
type batch struct {
	ID               string            `json:"id"`
	Object           string            `json:"object"`
	Endpoint         string            `json:"endpoint"`
	InputFileID      string            `json:"input_file_id"`
	OutputFileID     string            `json:"output_file_id"`
	CompletionWindow string            `json:"completion_window"`
	Status           string            `json:"status"`
	Model            string            `json:"model"`
	CreatedAt        int64             `json:"created_at"`
	InProgressAt     int64             `json:"in_progress_at"`
	FinalizingAt     int64             `json:"finalizing_at"`
	CompletedAt      int64             `json:"completed_at"`
	ExpiresAt        int64             `json:"expires_at"`
	Metadata         map[string]string `json:"metadata"`
}

func newBatch(n int) batch {
	at := documents.Time(n).Unix()
	return batch{
		ID: "batch_" + documents.ID(n), Object: "batch", Endpoint: "/v1/responses", InputFileID: "file-" + documents.ID(n), OutputFileID: "file-" + documents.ID(n+1),
		CompletionWindow: "24h", Status: "completed", Model: "gpt-5", CreatedAt: at, InProgressAt: at + 1, FinalizingAt: at + 2, CompletedAt: at + 3, ExpiresAt: at + 4,
		Metadata: map[string]string{"workspace": documents.Workspace},
	}
}

type manyBatches struct {
	Object  string  `json:"object"`
	Data    []batch `json:"data"`
	HasMore bool    `json:"has_more"`
}

var openaiPeer = peer{
	name: "openai-go", module: "github.com/openai/openai-go/v3",
	one:  newDocument("/v1/batches/"+newBatch(1).ID, newBatch(1)),
	many: newDocument("/v1/batches?limit=100", manyBatches{Object: "list", Data: hundred(newBatch)}),
	connect: func(url string, c *http.Client) (get, list call, err error) {
		client := openai.NewClient(option.WithBaseURL(url+"/v1/"), option.WithAPIKey("t"), option.WithHTTPClient(c))
		id := newBatch(1).ID
		get = func(ctx context.Context) error {
			got, err := client.Batches.Get(ctx, id)
			if err != nil {
				return err
			}
			return checkName(got.ID, id)
		}
		list = func(ctx context.Context) error {
			got, err := client.Batches.List(ctx, openai.BatchListParams{Limit: openai.Int(pageSize)})
			if err != nil {
				return err
			}
			return checkCount(len(got.Data), pageSize)
		}
		return get, list, nil
	},
}
