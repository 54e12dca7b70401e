CREATE TABLE grading_draftstate (
    id uuid PRIMARY KEY,
    payload jsonb NOT NULL,
    lock_token uuid,
    client_id uuid,
    version integer NOT NULL CHECK (version >= 0),
    updated_at timestamptz NOT NULL,
    copy_id uuid NOT NULL REFERENCES exams_copy DEFERRABLE INITIALLY DEFERRED,
    owner_id integer NOT NULL REFERENCES auth_user DEFERRABLE INITIALLY DEFERRED,
    UNIQUE (copy_id, owner_id)
);
