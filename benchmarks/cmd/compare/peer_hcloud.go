package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/promptrails-community/promptrails-go/benchmarks/internal/documents"
)

// image has some fields of an image of Hetzner Cloud.
type image struct {
	ID           int64             `json:"id"`
	Status       string            `json:"status"`
	Type         string            `json:"type"`
	Name         string            `json:"name"`
	Description  string            `json:"description"`
	ImageSize    float32           `json:"image_size"`
	DiskSize     float32           `json:"disk_size"`
	Created      time.Time         `json:"created"`
	OSFlavor     string            `json:"os_flavor"`
	OSVersion    string            `json:"os_version"`
	Architecture string            `json:"architecture"`
	RapidDeploy  bool              `json:"rapid_deploy"`
	Deprecated   time.Time         `json:"deprecated"`
	Labels       map[string]string `json:"labels"`
}

func newImage(n int) image {
	return image{
		ID: int64(1 + n), Status: "available", Type: "snapshot", Name: documents.ID(n), Description: fmt.Sprintf("The image %d of the team, which runs the service of the workspace", n), ImageSize: 2.5, DiskSize: 10,
		Created: documents.Time(n), OSFlavor: "debian", OSVersion: "13", Architecture: "x86", Deprecated: documents.Time(n), Labels: map[string]string{"workspace": documents.Workspace},
	}
}

type oneImage struct {
	Image image `json:"image"`
}

type manyImages struct {
	Images []image `json:"images"`
	Meta   struct {
		Pagination struct {
			Page         int `json:"page"`
			PerPage      int `json:"per_page"`
			LastPage     int `json:"last_page"`
			TotalEntries int `json:"total_entries"`
		} `json:"pagination"`
	} `json:"meta"`
}

var hcloudPeer = peer{
	name: "hcloud-go", module: "github.com/hetznercloud/hcloud-go/v2",
	one:  newDocument("/v1/images/2", oneImage{newImage(1)}),
	many: newDocument("/v1/images?per_page=100", newImages()),
	connect: func(url string, c *http.Client) (get, list call, err error) {
		client := hcloud.NewClient(hcloud.WithEndpoint(url+"/v1"), hcloud.WithToken("t"), hcloud.WithHTTPClient(c))
		get = func(ctx context.Context) error {
			got, _, err := client.Image.GetByID(ctx, 2)
			if err != nil {
				return err
			}
			return checkName(got.Name, newImage(1).Name)
		}
		list = func(ctx context.Context) error {
			got, _, err := client.Image.List(ctx, hcloud.ImageListOpts{ListOpts: hcloud.ListOpts{PerPage: pageSize}})
			if err != nil {
				return err
			}
			return checkCount(len(got), pageSize)
		}
		return get, list, nil
	},
}

func newImages() manyImages {
	m := manyImages{Images: hundred(newImage)}
	p := &m.Meta.Pagination
	p.Page, p.PerPage, p.LastPage, p.TotalEntries = 1, pageSize, 1, pageSize
	return m
}
