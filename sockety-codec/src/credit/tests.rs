mod clock;
mod model;
mod rules;
