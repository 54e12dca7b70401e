-- From 02-11 on. No unique constraint: several rows for one copy are possible.
CREATE TABLE grading_score (
    id uuid PRIMARY KEY,
    copy_id uuid NOT NULL REFERENCES exams_copy DEFERRABLE INITIALLY DEFERRED,
    scores_data jsonb NOT NULL,
    final_comment text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX grading_score_copy_id ON grading_score (copy_id);
