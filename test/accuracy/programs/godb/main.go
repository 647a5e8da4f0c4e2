// Command godb is an HTTP service that asks Redis (go-redis) and PostgreSQL (database/sql with
// pgx), through pools. A request does SET and GET in Redis, then a query. The token goes along
// in keys, and in statements' comments. It is a module of its own, so that the repository's
// needs no database clients.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
)

// connections bounds each pool.
const connections = 64

type service struct {
	redis    *redis.Client
	postgres *sql.DB
}

func (s *service) ask(ctx context.Context, truth string) error {
	key := "truth=" + truth
	if err := s.redis.Set(ctx, key, truth, 0).Err(); err != nil {
		return err
	}
	stored, err := s.redis.Get(ctx, key).Result()
	if err != nil {
		return err
	}
	var answer string
	row := s.postgres.QueryRowContext(ctx, "SELECT $1::text /* truth="+truth+" */", truth)
	if err := row.Scan(&answer); err != nil {
		return err
	}
	if stored != truth || answer != truth {
		return fmt.Errorf("%s was answered with %s and %s", truth, stored, answer)
	}
	return nil
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	truth := r.URL.Query().Get("truth")
	if err := s.ask(r.Context(), truth); err != nil {
		log.Print(err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, "answer to %s\n", truth)
}

func main() {
	first, second, _ := strings.Cut(os.Getenv("NEXT"), ",")
	// One round trip for each query, as the text differs each time.
	db, err := sql.Open("pgx", "postgres://shop:swordfish@"+second+"/postgres?sslmode=disable&default_query_exec_mode=exec")
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	s := &service{redis: redis.NewClient(&redis.Options{Addr: first, PoolSize: connections}), postgres: db}
	log.Fatal(http.ListenAndServe(os.Getenv("LISTEN"), s))
}
