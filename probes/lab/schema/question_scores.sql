-- 02-04 to 02-10.
CREATE TABLE grading_questionscore (
    id uuid PRIMARY KEY,
    copy_id uuid NOT NULL REFERENCES exams_copy DEFERRABLE INITIALLY DEFERRED,
    question_id varchar(255) NOT NULL,
    score numeric(5, 2) NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by_id integer NOT NULL REFERENCES auth_user DEFERRABLE INITIALLY DEFERRED,
    UNIQUE (copy_id, question_id)
);
