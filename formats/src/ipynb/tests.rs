mod generate;
mod laws;
mod rules;
